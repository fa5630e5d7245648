import Glibc

/// Files that the user names.
enum InputFile {
  /// Bytes of the longest: in base 64 it still fits in the daemon's default for a line.
  static let bytesMax = 47 << 20

  /// - Throws: `.usage` if it cannot be read or is too long.
  static func read(
    _ path: String, bytesMax: Int = bytesMax
  ) throws(CommandFailure) -> [UInt8] {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
      throw CommandFailure(.usage, "cannot open \(path): \(systemMessage(errno)); name a file")
    }
    defer { close(descriptor) }
    var bytes = ByteQueue()
    while try InputReader.read(descriptor, into: &bytes, name: path) {
      guard bytes.count <= bytesMax else {
        throw CommandFailure(
          .usage, "\(path) is longer than \(bytesMax) bytes; ask about a part of it")
      }
    }
    return bytes.withUnread { Array($0) }
  }

  /// The last component of a path.
  static func name(of path: String) -> String {
    path.split(separator: "/").last.map { String($0) } ?? path
  }
}
