import { NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE } from '../netlink/writer.js'

/** The object must not exist, or may and is overwritten. */
export const creationFlags = (replace: boolean): number => NLM_F_ACK | NLM_F_CREATE | (replace ? NLM_F_REPLACE : NLM_F_EXCL)
