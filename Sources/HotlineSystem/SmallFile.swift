import Glibc

/// Why a file could not be used. It names no path: a path given in a key's place may be the key.
package enum FileProblem: Error, Hashable, Sendable {
  case missing
  /// Open or read failed; the system's own words (strerror(3)).
  case unreadable(String)
  case notRegular
  case tooLarge(bytesMax: Int)
}

/// Reads whole files of a bounded size.
package enum SmallFile {
  /// The content of a regular file of at most `bytesMax` bytes.
  ///
  /// Blocks on the disk only: a FIFO or a device is refused, not waited for. Any thread.
  package static func read(_ path: String, bytesMax: Int) -> Result<[UInt8], FileProblem> {
    open(path).flatMap { file in
      defer { close(file.descriptor) }
      guard file.isRegular else { return .failure(.notRegular) }
      var bytes = [UInt8]()
      var chunk = [UInt8](repeating: 0, count: min(max(bytesMax, 0) &+ 1, 1 << 16))
      while true {
        let count = chunk.withUnsafeMutableBytes { readSome(file.descriptor, into: $0) }
        guard count >= 0 else { return .failure(.unreadable(errorText(errno))) }
        if count == 0 { return .success(bytes) }
        bytes.append(contentsOf: chunk[..<count])
        guard bytes.count <= bytesMax else { return .failure(.tooLarge(bytesMax: bytesMax)) }
      }
    }
  }

  /// When a file or a directory was last changed: nanoseconds since 1970, or nil where there is
  /// none. Any thread; blocks on the disk.
  package static func changedAt(_ path: String) -> Int64? {
    var status = stat()
    guard stat(path, &status) == 0 else { return nil }
    return Int64(status.st_ctim.tv_sec) * 1_000_000_000 + Int64(status.st_ctim.tv_nsec)
  }

  struct OpenFile {
    var descriptor: Int32
    var mode: mode_t
    var isRegular: Bool { mode & S_IFMT == S_IFREG }
  }

  /// Opens without waiting for a FIFO's writer and without becoming a terminal's owner.
  static func open(_ path: String) -> Result<OpenFile, FileProblem> {
    guard !path.utf8.contains(0) else { return .failure(.missing) }
    let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
    guard descriptor >= 0 else { return .failure(problem(errno)) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else {
      defer { close(descriptor) }
      return .failure(.unreadable(errorText(errno)))
    }
    return .success(OpenFile(descriptor: descriptor, mode: status.st_mode))
  }

  /// read(2), again after a signal; negative with errno set on failure.
  static func readSome(_ descriptor: Int32, into buffer: UnsafeMutableRawBufferPointer) -> Int {
    while true {
      let count = Glibc.read(descriptor, buffer.baseAddress, buffer.count)
      if count >= 0 || errno != EINTR { return count }
    }
  }

  private static func problem(_ code: Int32) -> FileProblem {
    switch code {
    case ENOENT, ENOTDIR, ENAMETOOLONG: .missing
    // What open(2) says of a Unix socket or of a device without a driver.
    case ENXIO, ENODEV: .notRegular
    default: .unreadable(errorText(code))
    }
  }
}

/// The system's own words for an errno (strerror_r(3)).
func errorText(_ code: Int32) -> String {
  var buffer = [CChar](repeating: 0, count: 128)
  guard strerror_r(code, &buffer, buffer.count) == 0 else { return "error \(code)" }
  return String(decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
}
