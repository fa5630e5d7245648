import Glibc

/// The text of a question, from the arguments and from standard input.
enum InputText {
  /// Bytes of the longest text on standard input: the daemon's default for a line.
  static let bytesMax = 64 << 20

  /// Instruction and material, joined by a blank line; nil if both are empty.
  static func joined(arguments: [String], material: String?) -> String? {
    let instruction = arguments.joined(separator: " ")
    var parts = [instruction]
    if var material {
      // The end of the last line is the file's, not the text's.
      if material.unicodeScalars.last == "\n" { material.unicodeScalars.removeLast() }
      if material.unicodeScalars.last == "\r" { material.unicodeScalars.removeLast() }
      parts.append(material)
    }
    parts.removeAll { $0.isEmpty }
    return parts.isEmpty ? nil : parts.joined(separator: "\n\n")
  }

  /// All of standard input.
  ///
  /// - Throws: `.usage` if it is too long, no UTF-8, or cannot be read.
  static func readMaterial(
    from descriptor: Int32 = STDIN_FILENO, bytesMax: Int = bytesMax
  ) throws(CommandFailure) -> String {
    var bytes = ByteQueue()
    while try InputReader.read(descriptor, into: &bytes, name: "standard input") {
      guard bytes.count <= bytesMax else {
        throw CommandFailure(
          .usage, "the text on standard input is longer than \(bytesMax) bytes; ask about less")
      }
    }
    guard let text = bytes.withUnread({ String(validating: $0, as: UTF8.self) }) else {
      throw CommandFailure(
        .usage, "the text on standard input is not UTF-8; convert it, for example with iconv")
    }
    return text
  }
}

/// Reading from the program's own descriptors, in the mode in which they came.
enum InputReader {
  /// Adds what is there, waiting for it if need be; false at the end.
  ///
  /// - Throws: `.usage` if `name` cannot be read.
  static func read(
    _ descriptor: Int32, into bytes: inout ByteQueue, byteCount: Int = 1 << 16, name: String
  ) throws(CommandFailure) -> Bool {
    while true {
      let count = withUnsafeTemporaryAllocation(byteCount: byteCount, alignment: 1) { room in
        let count = Glibc.read(descriptor, room.baseAddress, room.count)
        if count > 0 { bytes.append(UnsafeRawBufferPointer(rebasing: room[..<count])) }
        return count
      }
      guard count < 0 else { return count > 0 }
      switch errno {
      case EINTR: continue
      case EAGAIN:
        var slots = [Polling.slot(descriptor, POLLIN)]
        Polling.wait(for: &slots)
      default:
        throw CommandFailure(
          .usage, "cannot read \(name): \(systemMessage(errno)); name one that can be read")
      }
    }
  }
}
