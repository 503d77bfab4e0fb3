export { keyDigest, redactedKey } from '../../contracts/aead-key.js'
export { xfrmPolicyHandler } from './policy-handler.js'
export { xfrmStateHandler } from './state-handler.js'
