import type { NamePrefixes } from '../parent-device/parent.js'

/** Dummy parents are named as Docker names them. */
export const PREFIXES: NamePrefixes = { dummy: 'dm', host: 'mh' }
