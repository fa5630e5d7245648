import Glibc

/// Why a file could not be replaced; the one that was there is as before.
package struct FileFailure: Error, Hashable, Sendable, CustomStringConvertible {
  let action: String
  let path: String
  let reason: String

  init(_ action: String, _ path: String, _ code: Int32 = errno) {
    self.action = action
    self.path = path
    reason = errorText(code)
  }

  package var description: String { "cannot \(action) \(LogText.sanitized(path)): \(reason)" }
}

/// Files that are replaced whole or not at all, whatever ends the process or the machine meanwhile.
package enum AtomicFile {
  /// Puts the bytes there, mode 0600.
  ///
  /// Directories that are missing are made, mode 0700. A symbolic link is followed. Any thread;
  /// blocks on the disk until it has the bytes.
  package static func replace(_ path: String, with bytes: [UInt8]) throws(FileFailure) {
    try replace(path) { descriptor in
      bytes.withUnsafeBytes { writeAll($0, to: descriptor) }
    }
  }

  /// - Parameter write: returns false with errno set where it could not.
  static func replace(_ path: String, _ write: (Int32) -> Bool) throws(FileFailure) {
    let target = resolved(path)
    let directory = SocketDirectory.parent(of: target)
    try makeDirectories(directory)
    let temporary = "\(target).new-\(getpid())"
    unlink(temporary)
    let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard descriptor >= 0 else { throw FileFailure("write", target) }
    do throws(FileFailure) {
      defer { close(descriptor) }
      // Whatever the umask is.
      guard fchmod(descriptor, 0o600) == 0, write(descriptor), fsync(descriptor) == 0
      else { throw FileFailure("write", target) }
      guard rename(temporary, target) == 0 else { throw FileFailure("replace", target) }
    } catch {
      unlink(temporary)
      throw error
    }
    syncDirectory(directory)
  }

  /// Removes what processes that are no more have left behind in the middle of replacing a file.
  /// Any thread; blocks on the disk.
  package static func removeLeftovers(of path: String) {
    let target = resolved(path)
    let directory = SocketDirectory.parent(of: target)
    guard let listing = opendir(directory) else { return }
    defer { closedir(listing) }
    let prefix = "\(target.dropFirst(directory.count).drop { $0 == "/" }).new-"
    while let entry = readdir(listing) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      guard name.hasPrefix(prefix), let process = pid_t(name.dropFirst(prefix.count)), process > 0,
        kill(process, 0) != 0, errno == ESRCH
      else { continue }
      unlink("\(directory)/\(name)")
    }
  }

  private static func resolved(_ path: String) -> String {
    guard let real = realpath(path, nil) else { return path }
    defer { free(real) }
    return String(cString: real)
  }

  private static func makeDirectories(_ directory: String) throws(FileFailure) {
    var status = stat()
    if stat(directory, &status) == 0 { return }
    guard errno == ENOENT else { throw FileFailure("look at", directory) }
    let above = SocketDirectory.parent(of: directory)
    if above != directory { try makeDirectories(above) }
    guard mkdir(directory, 0o700) == 0 || errno == EEXIST else {
      throw FileFailure("make the directory", directory)
    }
  }

  /// - Returns: false with errno set.
  static func writeAll(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) -> Bool {
    var done = 0
    while done < bytes.count {
      let count = Glibc.write(descriptor, bytes.baseAddress.map { $0 + done }, bytes.count - done)
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { return false }
      done += count
    }
    return true
  }

  /// So that a power cut does not bring the old name back; where that is not possible it is no
  /// harm.
  private static func syncDirectory(_ directory: String) {
    let descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { return }
    fsync(descriptor)
    close(descriptor)
  }
}
