/** Name of the part of a network that is about the keys shared with a host: see NetworkDriver.pairKeys. */
export const pairPart = (node: string): string => `node:${node}`
