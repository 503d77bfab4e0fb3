/** Commands, attributes and flags of linux/wireguard.h. */
export const FAMILY = 'wireguard'
export const VERSION = 1
export const GET_DEVICE = 0
export const SET_DEVICE = 1

export const DEVICE_IFINDEX = 1
export const DEVICE_IFNAME = 2
export const DEVICE_PRIVATE_KEY = 3
export const DEVICE_PUBLIC_KEY = 4
export const DEVICE_FLAGS = 5
export const DEVICE_LISTEN_PORT = 6
export const DEVICE_FWMARK = 7
export const DEVICE_PEERS = 8
export const DEVICE_REPLACE_PEERS = 1

export const PEER_PUBLIC_KEY = 1
export const PEER_PRESHARED_KEY = 2
export const PEER_FLAGS = 3
export const PEER_ENDPOINT = 4
export const PEER_KEEPALIVE = 5
export const PEER_LAST_HANDSHAKE = 6
export const PEER_RECEIVED_BYTES = 7
export const PEER_SENT_BYTES = 8
export const PEER_ALLOWED = 9
export const PEER_REMOVE_ME = 1
export const PEER_REPLACE_ALLOWED = 2

export const ALLOWED_FAMILY = 1
export const ALLOWED_ADDRESS = 2
export const ALLOWED_LENGTH = 3

export const KEY_LENGTH = 32
