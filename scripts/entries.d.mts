export declare const entries: { public: Record<string, string>; internal: Record<string, string> }
export declare function flatName(subpath: string): string
export declare function buildEntries(): Record<string, string>
export declare function packageExports(): Record<string, unknown>
export declare function documentedEntries(): string[]
