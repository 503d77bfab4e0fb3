export interface FirewallObject { kind: 'nft-table'; at: string; family: 'inet' | 'ip' | 'ip6' | 'bridge' | 'netdev' | 'arp'; name: string }
