export { keyDigest, redactedKey } from './aead-key.js'
export { xfrmPolicyHandler } from './policy-handler.js'
export { xfrmStateHandler } from './state-handler.js'
