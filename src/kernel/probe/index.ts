export { FEATURE_NAMES, FEATURES, type Capabilities, type FeatureName, type HostSettings, type Verdict } from './capabilities.js'
export { probe } from './probe.js'
export { capabilitiesTable } from './table.js'
