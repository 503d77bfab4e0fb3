export type { Attributes } from './attributes.js'
export { asFileName, Folder, withFolder, type FileName } from './folder.js'
export { measure } from './measure.js'
export { emptyFolder, removeTree } from './remove-tree.js'
