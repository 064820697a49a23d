/** Where the system says how names are resolved. */
export interface ResolverFiles {
  readonly hosts: string;
  readonly resolvConf: string;
  readonly nsswitch: string;
}

/** The files of Linux, which every distribution and every container has there. */
export const systemFiles: ResolverFiles = {
  hosts: "/etc/hosts",
  resolvConf: "/etc/resolv.conf",
  nsswitch: "/etc/nsswitch.conf",
};
