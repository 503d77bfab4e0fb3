import { deepStrictEqual, match, ok, strictEqual, throws } from 'node:assert/strict'
import { tmpdir } from 'node:os'
import { CnmError } from '../contracts/errors.js'
import type { Description } from '../contracts/description.js'
import { pairPart } from '../contracts/pair-part.js'
import type { DriverContext, EndpointView, HostFacts, HostLink, NetworkDriver, NetworkView } from '../contracts/network-driver.js'
import {
  carriesAddresses,
  defaultRoutesAreOffers,
  linksAreKnown,
  makesInterface,
  nothingTwice,
  outsidePrivate,
  outsideTheSandbox,
  placesWithin,
  rulesOfDescriptions,
} from './driver-rules.js'
import { frozen, sampleEndpoint, sampleHost, sampleNetwork } from './driver-views.js'

/** One way of using the driver, to which every test is applied. */
export interface DriverSample {
  /** What it is, for the names of the tests. */
  title: string
  networkOptions?: Readonly<Record<string, string>>
  endpointOptions?: Readonly<Record<string, string>>
  /** For a driver whose network has a prescribed name. */
  networkName?: string
  internal?: boolean
  /** Only one network like this can exist at a time. Default false. */
  exclusive?: boolean
  /** Networks have IPv6 too. Default true. */
  ipv6?: boolean
  /** What the driver finds on the host. Default: one device `uplink0` with the default route of IPv4. */
  host?: { links?: readonly HostLink[]; defaultRoute?: HostFacts['defaultRoute']; ipv6?: boolean }
}

export interface DriverConformance {
  /** A fresh driver, for each test. */
  driver(): NetworkDriver
  /** Default: one without any options. */
  samples?: readonly DriverSample[]
  /** Of vitest, node:test, or any like them. */
  describe(name: string, body: () => void): unknown
  it(name: string, body: () => void | Promise<void>): unknown
}

/** What one test looks at: descriptions of two networks and of two endpoints on the first. */
export interface Scene {
  sample: DriverSample
  driver: NetworkDriver
  host: HostFacts
  networks: [NetworkView, NetworkView]
  endpoints: [EndpointView, EndpointView]
}

const HOOK_LIMIT_MS = 5_000
const MISSPELT = 'no.such.option.of.any.driver'

/**
 * Declares the tests that every network driver must pass. Nothing in the kernel is touched; for that, see
 * {@link driverKernelConformance}.
 */
export function driverConformance({ driver: fresh, samples = [{ title: 'no options' }], describe, it }: DriverConformance): void {
  describe('driver contract', () => {
    it('has a name, always the same', () => {
      const { name } = fresh()
      ok(typeof name === 'string' && /^[a-z0-9][a-z0-9_.-]*$/i.test(name), `${JSON.stringify(name)} is no name for a driver`)
      strictEqual(fresh().name, name)
    })
    it('refuses network options that it does not know, and names them', () => {
      throws(() => fresh().networkOptions({ [MISSPELT]: '1' }), refusesUnknown)
    })
    it('refuses endpoint options that it does not know, and names them', () => {
      const driver = fresh()
      if (driver.endpointOptions !== undefined) throws(() => driver.endpointOptions!({ [MISSPELT]: '1' }), refusesUnknown)
    })
    it('tolerates that clean-up is asked for again, and of what never was', async () => {
      await withStarted(prepareScene(fresh(), samples[0]!), async ({ driver, networks: [network], endpoints: [endpoint] }) => {
        for (let round = 0; round < 2; round++) {
          await driver.afterLeave?.(endpoint, network, AbortSignal.timeout(HOOK_LIMIT_MS))
          await driver.afterDelete?.(network, AbortSignal.timeout(HOOK_LIMIT_MS))
        }
      })
    })
  })
  for (const sample of samples) describe(`driver contract: ${sample.title}`, () => declareSample(fresh, sample, it))
}

function declareSample(fresh: () => NetworkDriver, sample: DriverSample, it: DriverConformance['it']): void {
  const test = (name: string, body: (scene: Scene) => void | Promise<void>): void => {
    it(name, async () => withStarted(prepareScene(fresh(), sample), body))
  }
  test('describes networks by the rules', ({ driver, host, networks }) => {
    const descriptions = networks.map((network) => driver.network(network, host))
    for (const description of descriptions) {
      rulesOfDescriptions(description)
      placesWithin(description, ['host', 'private'])
      linksAreKnown(description, [], host)
    }
    nothingTwice(descriptions.map(outsidePrivate))
  })
  test('describes endpoints by the rules', ({ driver, host, networks: [network], endpoints }) => {
    const whole = driver.network(network, host)
    const descriptions = endpoints.map((endpoint) => driver.endpoint(endpoint, network, host))
    for (const description of descriptions) {
      rulesOfDescriptions(description)
      placesWithin(description, ['host', 'private', 'sandbox'])
      linksAreKnown(description, whole, host)
    }
    nothingTwice([whole, ...descriptions.map(outsideTheSandbox)])
  })
  test('describes the interface, its addresses and default routes', ({ driver, host, networks: [network], endpoints: [endpoint] }) => {
    const description = driver.endpoint(endpoint, network, host)
    if (driver.capabilities?.interfaces === false) return deepStrictEqual(description, [], 'a driver without interfaces describes none')
    makesInterface(description, endpoint)
    carriesAddresses(description, endpoint)
    defaultRoutesAreOffers(description, network, endpoint)
  })
  test('describes the same thing in the same words, and leaves what it is given alone', async (first) => {
    await withStarted(prepareScene(fresh(), sample), (second) => {
      const texts = [first, second, first].map((each) => JSON.stringify(describeAll(each)))
      strictEqual(texts[1], texts[0], 'two drivers describe one network differently')
      strictEqual(texts[2], texts[0], 'a driver describes one network differently the second time')
    })
  })
  test('describes its parts by the rules, and none where there is nothing', ({ driver, host, networks: [network] }) => {
    const whole = driver.network(network, host)
    const parts = [...(driver.parts?.(network) ?? [])]
    for (const name of parts) match(name, /^[A-Za-z0-9._:-]{1,128}$/, `${JSON.stringify(name)} is no name for a part`)
    if (driver.capabilities?.scope === 'global')
      for (const id of network.peers?.keys() ?? []) ok(parts.includes(id), 'a peer of a network of scope global must be a part, by its id')
    for (const node of network.pairs?.keys() ?? [])
      ok(parts.includes(pairPart(node)), 'a host with which keys are shared must be a part of its network')
    const descriptions = parts.map((name) => driver.part!(network, name, host))
    for (const description of descriptions) {
      rulesOfDescriptions(description)
      placesWithin(description, ['host', 'private'])
      linksAreKnown(description, whole, host)
    }
    nothingTwice([whole, ...descriptions])
    if (driver.part !== undefined)
      deepStrictEqual(driver.part(network, 'no.such.part', host), [], 'a part that does not exist describes nothing')
  })
  test('announces within reason', ({ driver, networks: [network], endpoints: [endpoint] }) => {
    const { count, interval } = driver.announcements?.(endpoint, network) ?? { count: 0, interval: 0 }
    ok(Number.isInteger(count) && count >= 0 && count <= 100, `announces ${count} times`)
    ok(count < 2 || (Number.isFinite(interval) && interval > 0), `announces every ${interval} ms`)
  })
}

const describeAll = ({ driver, host, networks: [network], endpoints }: Scene): Description[] => [
  driver.network(network, host),
  ...endpoints.map((endpoint) => driver.endpoint(endpoint, network, host)),
]

export function prepareScene(driver: NetworkDriver, sample: DriverSample): Scene {
  const host = sampleHost(sample.host)
  const networks = [0, 1].map((number) => sampleNetwork(driver, sample, number))
  const endpoints = [0, 1].map((number) => sampleEndpoint(driver, sample, networks[0]!, number))
  return { sample, driver, host, networks: networks as Scene['networks'], endpoints: endpoints as Scene['endpoints'] }
}

/** Calls what the core calls around the first network and its endpoints; the views that the test sees are frozen. */
export async function withStarted(scene: Scene, body: (scene: Scene) => void | Promise<void>): Promise<void> {
  const { sample, driver, host } = scene
  const known: NetworkView[] = []
  await driver.start?.(context(known))
  try {
    const signal = AbortSignal.timeout(HOOK_LIMIT_MS)
    const networks: NetworkView[] = []
    for (const network of driver.capabilities?.singleton || sample.exclusive ? [scene.networks[0]] : scene.networks) {
      known.push(network)
      const state = await driver.beforeCreate?.(network, host, signal)
      networks.push(frozen({ ...network, ...(state !== undefined && { state }) }))
    }
    const endpoints: EndpointView[] = []
    for (const endpoint of scene.endpoints) {
      const state = await driver.beforeJoin?.(endpoint, networks[0]!, host, signal)
      endpoints.push(frozen({ ...endpoint, ...(state !== undefined && { state }) }))
    }
    await body({ sample, driver, host, networks: [networks[0]!, networks[1] ?? networks[0]!], endpoints: endpoints as Scene['endpoints'] })
  } finally {
    await driver.stop?.()
  }
}

const context = (known: readonly NetworkView[]): DriverContext => ({
  instance: 'conform',
  directory: tmpdir(),
  changed: () => undefined,
  networks: () => known,
  warn: () => undefined,
})

function refusesUnknown(error: unknown): boolean {
  ok(error instanceof CnmError, 'an option must be refused with a CnmError')
  strictEqual(error.code, 'ERR_CNM_UNKNOWN_OPTION')
  ok(error.message.includes(MISSPELT), 'the message must name the option')
  return true
}
