/** Numbers of RFC 2131 and RFC 2132. */

export const SERVER_PORT = 67
export const CLIENT_PORT = 68

export const BOOTREQUEST = 1
export const BOOTREPLY = 2

export const MESSAGE_TYPE = { discover: 1, offer: 2, request: 3, decline: 4, ack: 5, nak: 6, release: 7 } as const
export type MessageType = keyof typeof MESSAGE_TYPE

export const OPTION = {
  pad: 0,
  subnetMask: 1,
  routers: 3,
  hostName: 12,
  requestedAddress: 50,
  leaseTime: 51,
  overload: 52,
  messageType: 53,
  serverId: 54,
  parameters: 55,
  message: 56,
  renewalTime: 58,
  rebindingTime: 59,
  vendorClass: 60,
  clientId: 61,
  /** RFC 3442. */
  classlessRoutes: 121,
  end: 255,
} as const
