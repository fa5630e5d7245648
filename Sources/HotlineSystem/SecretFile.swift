import Glibc

/// Why a key could not be stored; the file that was there is as before.
package struct SecretFileError: Error, Hashable, Sendable, CustomStringConvertible {
  let action: String
  let path: String
  let reason: String

  init(_ action: String, _ path: String, _ code: Int32 = errno) {
    self.action = action
    self.path = path
    reason = errorText(code)
  }

  package var description: String {
    "cannot \(action) \(LogText.sanitized(path)): \(reason); the key that was there is unchanged"
  }
}

/// Writes keys to files.
package enum SecretFile {
  /// Stores the key at the path, mode 0600, with a line feed behind it: whole, or not at all.
  ///
  /// Directories that are missing are made, mode 0700. A symbolic link is followed. Any thread;
  /// blocks on the disk until it has the key.
  package static func store(_ secret: Secret, at path: String) throws(SecretFileError) {
    let target = resolved(path)
    let directory = SocketDirectory.parent(of: target)
    try makeDirectories(directory)
    let temporary = "\(target).new-\(getpid())"
    unlink(temporary)
    let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard descriptor >= 0 else { throw SecretFileError("write", target) }
    do throws(SecretFileError) {
      defer { close(descriptor) }
      // Whatever the umask is.
      guard fchmod(descriptor, 0o600) == 0, write(secret, to: descriptor), fsync(descriptor) == 0
      else { throw SecretFileError("write", target) }
      guard rename(temporary, target) == 0 else { throw SecretFileError("replace", target) }
    } catch {
      unlink(temporary)
      throw error
    }
    syncDirectory(directory)
  }

  private static func resolved(_ path: String) -> String {
    guard let real = realpath(path, nil) else { return path }
    defer { free(real) }
    return String(cString: real)
  }

  private static func makeDirectories(_ directory: String) throws(SecretFileError) {
    var status = stat()
    if stat(directory, &status) == 0 { return }
    guard errno == ENOENT else { throw SecretFileError("look at", directory) }
    let above = SocketDirectory.parent(of: directory)
    if above != directory { try makeDirectories(above) }
    guard mkdir(directory, 0o700) == 0 || errno == EEXIST else {
      throw SecretFileError("make the directory", directory)
    }
  }

  /// - Returns: false with errno set.
  private static func write(_ secret: Secret, to descriptor: Int32) -> Bool {
    secret.withBytes { key in
      key.withUnsafeBufferPointer { writeAll(UnsafeRawBufferPointer($0), to: descriptor) }
    } && writeAll("\n", to: descriptor)
  }

  private static func writeAll(_ text: String, to descriptor: Int32) -> Bool {
    Array(text.utf8).withUnsafeBytes { writeAll($0, to: descriptor) }
  }

  private static func writeAll(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) -> Bool {
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
