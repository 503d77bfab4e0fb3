import eslint from '@eslint/js'
import tseslint from 'typescript-eslint'

/** The only code that may call the kernel is in src/kernel; all else goes through its public index. */
const RAW_KERNEL = [
  { regex: '^(koffi|netlink)$', message: 'Only src/kernel calls the system.' },
  { regex: 'kernel/(?!(loop/)?index\\.js$)', message: 'Only the public index of the kernel layer: src/kernel/index.js.' },
]

/** Folders that a layer does not know. A lower layer never imports a higher one; drivers and adapters stand alone. */
const layer = (files, forbidden, message, more = []) => ({
  files,
  rules: {
    'no-restricted-imports': ['error', { patterns: [{ regex: `/(${forbidden.join('|')})/`, message }, ...more] }],
  },
})

const NODE_GLOBALS = Object.fromEntries(
  ['process', 'console', 'URL', 'Buffer', 'performance', 'fetch', 'AbortController', 'AbortSignal']
    .concat(['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'setImmediate', 'queueMicrotask'])
    .map((name) => [name, 'readonly']),
)

/** A folder beside one's own: '../bridge/…' from a driver, but not '../../src/…', nor what macvlan and ipvlan have in common. */
const NEIGHBOURS = { regex: '^\\.\\./(?!parent-device/)[^./]', message: 'A driver imports no other driver.' }
/** The same from a folder inside a driver. */
const DISTANT_NEIGHBOURS = { regex: '^\\.\\./\\.\\./[^./]', message: 'A driver imports no other driver.' }

export default tseslint.config(
  { ignores: ['dist/', 'node_modules/', 'docs/api/', 'reports/', '.cache/'] },
  { linterOptions: { noInlineConfig: true, reportUnusedDisableDirectives: 'error' } },
  eslint.configs.recommended,
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.recommendedTypeChecked],
    languageOptions: { parserOptions: { project: 'tsconfig.check.json', tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/ban-ts-comment': [
        'error',
        { 'ts-expect-error': 'allow-with-description', 'ts-ignore': true, 'ts-nocheck': true },
      ],
      '@typescript-eslint/consistent-type-imports': ['error', { disallowTypeAnnotations: false }],
      '@typescript-eslint/only-throw-error': ['error', { allowThrowingUnknown: true, allowThrowingAny: false }],
      // `keyof T & string` says that keys are names, also where they can be nothing else.
      '@typescript-eslint/no-redundant-type-constituents': 'off',
      // Objects made of closures have methods that need no `this`.
      '@typescript-eslint/unbound-method': 'off',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_', ignoreRestSiblings: true }],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/no-non-null-assertion': 'off',
      // An async function without await turns what it throws into a rejection, as its interface promises.
      '@typescript-eslint/require-await': 'off',
      // Names and texts of the wire are checked for control characters.
      'no-control-regex': 'off',
      'no-restricted-syntax': [
        'error',
        {
          selector: 'Program > VariableDeclaration[kind="let"]',
          message: 'No mutable state in a module: two controllers in one process are strangers.',
        },
        { selector: 'Program > ExportNamedDeclaration > VariableDeclaration[kind="let"]', message: 'No mutable state in a module.' },
      ],
      'no-restricted-imports': ['error', { patterns: RAW_KERNEL }],
    },
  },
  layer(
    ['src/contracts/**'],
    ['kernel', 'engine', 'store', 'controller', 'drivers', 'adapters', 'testing'],
    'The contracts import nothing.',
    RAW_KERNEL,
  ),
  layer(
    ['src/kernel/**'],
    ['engine', 'store', 'controller', 'drivers', 'adapters', 'testing'],
    'The kernel layer imports only the contracts.',
  ),
  layer(
    ['src/store/**'],
    ['kernel', 'engine', 'controller', 'drivers', 'adapters', 'testing'],
    'A store imports only the contracts.',
    RAW_KERNEL,
  ),
  layer(
    ['src/engine/**'],
    ['store', 'controller', 'drivers', 'adapters', 'testing'],
    'The engine imports only contracts and kernel.',
    RAW_KERNEL,
  ),
  layer(['src/controller/**'], ['adapters', 'testing'], 'The controller imports no adapter.', RAW_KERNEL),
  layer(['drivers/*/*.ts'], ['engine', 'store', 'controller', 'adapters', 'testing'], 'A driver imports only contracts and kernel.', [
    ...RAW_KERNEL,
    NEIGHBOURS,
  ]),
  layer(['drivers/*/*/**'], ['engine', 'store', 'controller', 'adapters', 'testing'], 'A driver imports only contracts and kernel.', [
    ...RAW_KERNEL,
    DISTANT_NEIGHBOURS,
  ]),
  {
    // Tests of the kernel layer look inside it, and a test file is a program.
    files: ['test/**/*.ts', 'bench/**/*.ts', 'examples/**/*.ts'],
    rules: {
      'no-restricted-imports': 'off',
      'no-restricted-syntax': 'off',
      // They look at parsed JSON and at what programs print.
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
      '@typescript-eslint/no-base-to-string': 'off',
    },
  },
  {
    files: ['src/**/*.ts', 'drivers/**/*.ts', 'adapters/**/*.ts'],
    rules: { 'no-console': 'error' },
  },
  {
    files: ['**/*.js', '**/*.mjs', '**/*.cjs'],
    languageOptions: { globals: NODE_GLOBALS },
  },
  {
    files: ['**/*.cjs'],
    languageOptions: { sourceType: 'commonjs', globals: { require: 'readonly', module: 'writable', __dirname: 'readonly' } },
  },
)
