/** Opened for its descriptor: nobody needs more than the permission to read this path, and it has no contents. */
export const spareDescriptorPath = "/dev/null";
