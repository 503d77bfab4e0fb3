import type { NetworkRecord } from '../../contracts/records.js'
import type { Network } from '../network.js'
import { describeNetwork, partReplacements, takeParts } from '../redescribe.js'
import { replaceDescriptions, sameDescription } from '../replace-descriptions.js'

/**
 * A network of scope `global` comes to this host with the first endpoint that joins it here, and goes with the last one
 * that leaves. In between, what it has on other hosts is followed.
 */
export async function enterNetwork(network: Network, endpoint: string): Promise<void> {
  const { core, users } = network
  if (network.scope === 'local') return
  await core.serial.run([`network/${network.id}`], async () => {
    const isFirst = users.size === 0
    users.add(endpoint)
    if (!isFirst) return
    try {
      network.forgetFacts()
      await core.cluster?.enter(network)
      await bring(network)
    } catch (error) {
      users.delete(endpoint)
      core.cluster?.leave(network)
      throw error
    }
  })
}

export async function leaveNetwork(network: Network, endpoint: string): Promise<void> {
  const { core, users } = network
  if (network.scope === 'local') return
  await core.serial.run([`network/${network.id}`], async () => {
    if (!users.delete(endpoint) || users.size > 0) return
    core.cluster?.leave(network)
    await bring(network)
    core.hostLinks.forget(network)
    network.forgetFacts()
  })
}

/** Everything of the network into the kernel, or out of it, in one transaction. */
async function bring(network: Network): Promise<void> {
  const { core, record } = network
  const next: NetworkRecord = { ...record, description: await describeNetwork(network) }
  const known = network.guardedDriver.parts(network.view())
  const parts = await partReplacements(network, new Set([...network.parts.keys(), ...known]))
  const whole = sameDescription(record.description, next.description) ? [] : [{ before: record, after: next }]
  if (whole.length + parts.length === 0) return
  await replaceDescriptions(core, [...whole, ...parts])
  network.record = next
  takeParts(network, parts)
}
