/** Where packets to a proxied port go: an endpoint's address and port. */
export interface ProxyTarget {
  protocol: 'tcp' | 'udp'
  address: string
  port: number
}

/** What the proxy's thread is told. Every message is answered by its ticket. */
export type ProxyMessage =
  | {
      ticket: number
      do: 'serve'
      /** Bound sockets, the thread's from now on, by the number they are known by. */ ports: {
        id: number
        fd: number
        target: ProxyTarget
      }[]
    }
  | { ticket: number; do: 'end'; ids: number[] }

export interface ProxyReply {
  ticket: number
  error?: string
}

/** Something that takes packets on one socket and hands them on. */
export interface Forwarder {
  /** Ends its connections and closes its socket. */
  close(): Promise<void>
}
