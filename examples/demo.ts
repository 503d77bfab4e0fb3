// `npm run demo`: two isolated networks, four sandboxes, a web server in one of them, and who can reach it.
// As root on the host itself, so that `ip` and `bridge` show it; as an ordinary user in namespaces of its own.
import { spawnSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import http from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Controller, type Endpoint, type Network, type Sandbox } from 'libcnm'

const INSTANCE = 'cnmdemo'
const OWN_WORLD = ['--user', '--map-root-user', '--net', '--mount', '--', 'sh', '-c', 'mount -t tmpfs tmpfs /run && exec "$@"', 'sh']
if (process.getuid?.() !== 0) {
  console.log('not root: the demo runs in a user, network and mount namespace of its own\n')
  const again = spawnSync('unshare', [...OWN_WORLD, process.execPath, ...process.execArgv, ...process.argv.slice(1)], { stdio: 'inherit' })
  if (again.error !== undefined) console.error(`unshare: ${again.error.message}; run the demo as root instead`)
  process.exit(again.status ?? 1)
}
// Always the same place, so that a run finds what an interrupted one left.
const stateDir = process.env.LIBCNM_DEMO_STATE ?? join(tmpdir(), `libcnm-demo-${process.env.USER ?? 'root'}`)

async function timed<T>(what: string, work: () => Promise<T>): Promise<T> {
  const start = performance.now()
  const result = await work()
  console.log(`  ${(performance.now() - start).toFixed(1).padStart(7)} ms  ${what}`)
  return result
}

function draw(networks: Network[], sandboxes: Sandbox[]): void {
  console.log('\nWhat there is now:\n')
  for (const network of networks) {
    console.log(`  [${network.name}]  ${network.subnets.join(', ')}  gateway ${network.gateways.join(', ')}`)
    const endpoints = network.endpoints
    endpoints.forEach((endpoint, index) => {
      const branch = index === endpoints.length - 1 ? '└' : '├'
      console.log(`     ${branch}── ${endpoint.sandbox?.name.padEnd(6)} ${endpoint.interfaceName}  ${endpoint.addresses.join(', ')}`)
    })
  }
  console.log(`\n  See it yourself, in another terminal, while this waits (DEMO_WAIT=60 npm run demo):`)
  console.log(`    ip netns                       the sandboxes: ${sandboxes[0]!.netns.split('/').pop()} ...`)
  console.log(`    ip -d link; bridge link        the bridges and their ports`)
  console.log(`    ip -n <sandbox> addr           inside one\n`)
}

async function tryFetch(from: Sandbox, url: string): Promise<string> {
  try {
    const reply = await fetch(url, { dispatcher: from.dispatcher(), signal: AbortSignal.timeout(2000) })
    return `${reply.status} ${(await reply.text()).trim()}`
  } catch (error) {
    const cause = (error as Error).cause
    return cause instanceof Error ? cause.message : (error as Error).message
  }
}

console.log('libcnm demo\n')
const controller = await timed('open the controller (and clean up what an earlier run left)', () =>
  Controller.open({ stateDir, instance: INSTANCE }),
)
for (const sandbox of controller.sandboxes.list()) await sandbox.delete()
for (const network of controller.networks.list()) await network.delete()

const front = await timed('network front', () => controller.createNetwork({ name: 'front' }))
const back = await timed('network back, internal', () => controller.createNetwork({ name: 'back', internal: true }))
const sandboxes: Record<string, Sandbox> = {}
for (const name of ['client', 'web', 'api', 'db']) {
  sandboxes[name] = await timed(`sandbox ${name}`, () => controller.createSandbox({ name }))
}
const { client, web, api, db } = sandboxes as Record<'client' | 'web' | 'api' | 'db', Sandbox>
const joins: [Sandbox, Network][] = [
  [client, front],
  [web, front],
  [api, front],
  [api, back],
  [db, back],
]
const endpoints: Endpoint[] = []
for (const [sandbox, network] of joins) {
  endpoints.push(await timed(`${sandbox.name} joins ${network.name}`, () => sandbox.connect(network)))
}
const server = await timed('an HTTP server of this process listens inside web', () =>
  web.listen(
    http.createServer((_request, response) => response.end('hello from web')),
    { port: 80 },
  ),
)
draw([front, back], Object.values(sandboxes))

console.log('Who reaches whom:\n')
const address = (endpoint: Endpoint): string => endpoint.addresses[0]!.split('/')[0]!
console.log(`  client -> http://web/         ${await tryFetch(client, 'http://web/')}`)
console.log(`  db     -> http://web/         ${await tryFetch(db, 'http://web/')}`)
console.log(`           (web is not on any network of db: its name is not known there)`)
console.log(`  db     -> http://${address(endpoints[1]!)}/  ${await tryFetch(db, `http://${address(endpoints[1]!)}/`)}`)
console.log(`           (back is internal: db has no route out of it)`)
console.log(`  host   -> http://${address(endpoints[1]!)}/  ${await (await fetch(`http://${address(endpoints[1]!)}/`)).text()}`)
console.log(`           (the host has an address on every bridge)\n`)

await new Promise((resolve) => setTimeout(resolve, Number(process.env.DEMO_WAIT ?? 0) * 1000))
server.close()
server.closeAllConnections()
for (const sandbox of Object.values(sandboxes)) await timed(`delete sandbox ${sandbox.name}`, () => sandbox.delete())
for (const network of [front, back]) await timed(`delete network ${network.name}`, () => network.delete())
await timed('close the controller', () => controller.close())
if (process.env.LIBCNM_DEMO_STATE === undefined) rmSync(stateDir, { recursive: true, force: true })
console.log('\nNothing is left behind.')
