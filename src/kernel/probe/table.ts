import { FEATURE_NAMES, FEATURES, type Capabilities, type HostSettings } from './capabilities.js'

/** The answers as a text table, one feature per line: name, yes or no, what it is for or why it is missing. */
export function capabilitiesTable({ settings, features }: Capabilities): string {
  const rows = FEATURE_NAMES.filter((name) => name in features).map((name) => {
    const { available, reason } = features[name]
    return [name, available ? 'yes' : 'no', available ? FEATURES[name] : `${FEATURES[name]} (${reason ?? 'no reason given'})`] as const
  })
  const width = Math.max(0, ...rows.map(([name]) => name.length))
  const lines = rows.map(([name, answer, text]) => `${name.padEnd(width)}  ${answer.padEnd(3)}  ${text}`)
  return [settingsLine(settings), ...lines].join('\n')
}

function settingsLine(settings: HostSettings): string {
  const on = (value: boolean): string => (value ? 'on' : 'off')
  const parts = [
    `Linux ${settings.kernel}`,
    `br_netfilter ${settings.bridgeNetfilter ? 'loaded' : 'not loaded'}`,
    `forwarding IPv4 ${on(settings.ipv4Forwarding)}, IPv6 ${on(settings.ipv6Forwarding)}`,
    `security modules: ${settings.securityModules.join(' ') || 'unknown'}`,
  ]
  if (settings.confinement !== undefined) parts.push(`confined as ${settings.confinement}`)
  return parts.join('; ')
}
