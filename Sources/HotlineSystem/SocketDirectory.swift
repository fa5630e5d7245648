import Glibc

/// The directory that the daemon's socket lies in.
enum SocketDirectory {
  static func parent(of path: String) -> String {
    guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return "." }
    let directory = path[..<slash]
    return directory.isEmpty ? "/" : String(directory)
  }

  /// Makes what is missing of it, mode 0700, and sees that nobody else can replace what lies in it.
  ///
  /// Root's directories are taken, and those where the sticky bit keeps others from removing our
  /// files (`/tmp`).
  static func prepare(_ directory: String) throws(SocketPathError) {
    try make(directory)
    var status = stat()
    guard stat(directory, &status) == 0 else { throw SocketPath.failed("look at", directory) }
    guard status.st_mode & S_IFMT == S_IFDIR else {
      throw .failed(action: "use", path: directory, reason: errorText(ENOTDIR))
    }
    guard status.st_uid == geteuid() || status.st_uid == 0 else {
      throw .foreignDirectory(directory: directory, owner: status.st_uid)
    }
    guard status.st_mode & 0o002 == 0 || status.st_mode & S_ISVTX != 0 else {
      throw .openDirectory(directory: directory)
    }
  }

  private static func make(_ directory: String) throws(SocketPathError) {
    var missing = [String]()
    var next = directory
    var status = stat()
    while stat(next, &status) != 0, errno == ENOENT {
      missing.append(next)
      let above = parent(of: next)
      guard above != next else { break }
      next = above
    }
    for path in missing.reversed() {
      guard mkdir(path, 0o700) == 0 || errno == EEXIST else {
        throw SocketPath.failed("make the directory", path)
      }
    }
  }
}
