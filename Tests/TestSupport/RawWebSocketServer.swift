// OpenSSL's headers bring <time.h> along; its structures may then count as either module's.
import COpenSSL
import Glibc

/// One frame as it came over the wire, unmasked.
package struct RawFrame: Equatable, Sendable {
  package var isFinal: Bool
  /// The three reserved bits: 4, 2 and 1.
  package var reserved: UInt8
  package var opcode: UInt8
  package var payload: [UInt8]

  /// A frame as a server writes it. `first` is its first byte: final bit, reserved bits, opcode.
  package static func bytes(_ first: UInt8, _ payload: [UInt8]) -> [UInt8] {
    let count = payload.count
    switch count {
    case ...125: return [first, UInt8(count)] + payload
    case ...65_535: return [first, 126, UInt8(count >> 8), UInt8(count & 255)] + payload
    default:
      let length = (0..<8).map { UInt8(count >> (56 - 8 * $0) & 255) }
      return [first, 127] + length + payload
    }
  }
}

/// A WebSocket server for one connection, on a plain blocking socket, that writes whatever bytes it
/// is told to and is strict about what it reads. It shares no line with the code under test.
///
/// Confined to one thread, but for ``port``.
package final class RawWebSocketServer: @unchecked Sendable {
  package let port: Int
  /// What the client has sent to upgrade.
  package private(set) var requestHead = ""
  /// The stream has ended without the client's having ended it.
  package private(set) var wasReset = false
  /// Reserved bits that the client may set.
  package var reservedAllowed: UInt8 = 0
  private let listener: CInt
  private var connection: CInt = -1
  private var input: [UInt8] = []
  private var position = 0

  /// - Parameter receiveBytes: how much the kernel takes in before it is read; its own if nil.
  package init(receiveBytes: Int? = nil) {
    (listener, port) = SilentServer.listen()
    if var bytes = receiveBytes.map({ CInt($0) }) {
      setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &bytes, socklen_t(MemoryLayout<CInt>.size))
    }
  }

  deinit {
    disconnect()
    close(listener)
  }

  package func disconnect() {
    if connection >= 0 { close(connection) }
    connection = -1
  }

  /// From now on nothing that comes gets as far as the connection, so nothing is acknowledged: to
  /// the client it is as if this machine had been switched off.
  package func vanish() throws {
    // BPF_RET | BPF_K with 0 lets no byte in: socket(7), SO_ATTACH_FILTER; the kernel's
    // Documentation/networking/filter.rst.
    var instruction: UInt64 = 0x06
    let result = withUnsafePointer(to: &instruction) { instruction in
      // struct sock_fprog: a count, and where that many are.
      var program = (count: UInt(1), instructions: instruction)
      return setsockopt(
        connection, SOL_SOCKET, SO_ATTACH_FILTER, &program,
        socklen_t(MemoryLayout.size(ofValue: program)))
    }
    guard result == 0 else { throw TestFailure("no filter: \(errno)") }
  }

  // MARK: Upgrade

  /// Takes the connection and its request, and accepts it.
  ///
  /// - Parameter extensions: the value of `Sec-WebSocket-Extensions` to answer with.
  package func accept(extensions: String? = nil) throws {
    connection = Glibc.accept(listener, nil, nil)
    guard connection >= 0 else { throw TestFailure("no connection") }
    var one: CInt = 1
    setsockopt(
      connection, CInt(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<CInt>.size))
    var limit = timeval(tv_sec: Deadline.usualSeconds, tv_usec: 0)
    let size = socklen_t(MemoryLayout<timeval>.size)
    setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &limit, size)
    setsockopt(connection, SOL_SOCKET, SO_SNDTIMEO, &limit, size)
    while !requestHead.hasSuffix("\r\n\r\n") {
      guard let byte = try bytes(1)?.first else { throw TestFailure("no request") }
      requestHead.unicodeScalars.append(Unicode.Scalar(byte))
    }
    let field = extensions.map { "Sec-WebSocket-Extensions: \($0)\r\n" } ?? ""
    try send(
      Array(
        ("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
          + "Sec-WebSocket-Accept: \(try acceptKey())\r\n\(field)\r\n").utf8))
  }

  private func acceptKey() throws -> String {
    let lines = requestHead.split(separator: "\r\n")
    let name = "sec-websocket-key: "
    guard let line = lines.first(where: { $0.lowercased().hasPrefix(name) }) else {
      throw TestFailure("no Sec-WebSocket-Key")
    }
    let text = Array((line.dropFirst(name.count) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").utf8)
    var digest = [UInt8](repeating: 0, count: 20)
    EVP_Digest(text, text.count, &digest, nil, EVP_sha1(), nil)
    var encoded = [UInt8](repeating: 0, count: 32)
    let count = EVP_EncodeBlock(&encoded, digest, 20)
    return String(decoding: encoded.prefix(Int(count)), as: UTF8.self)
  }

  // MARK: Bytes

  /// - Parameter pieceBytes: so many in one write to the socket, at most.
  package func send(_ bytes: [UInt8], inPiecesOf pieceBytes: Int = .max) throws {
    var position = 0
    while position < bytes.count {
      let end = position + min(pieceBytes, bytes.count - position)
      let count = bytes[position..<end].withUnsafeBytes {
        Glibc.send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
      guard count > 0 else { throw TestFailure("the client takes no more: \(errno)") }
      position += count
    }
  }

  /// - Returns: nil at the end of the stream, which a reset is too.
  private func bytes(_ count: Int) throws -> ArraySlice<UInt8>? {
    while input.count - position < count {
      if position > 0 {
        input.removeFirst(position)
        position = 0
      }
      var chunk = [UInt8](repeating: 0, count: 256 << 10)
      let read = recv(connection, &chunk, chunk.count, 0)
      if read < 0 {
        guard errno == ECONNRESET else { throw TestFailure("nothing more came: \(errno)") }
        wasReset = true
      }
      guard read > 0 else { return nil }
      input += chunk[..<read]
    }
    defer { position += count }
    return input[position..<(position + count)]
  }

  // MARK: Frames

  /// - Returns: nil at the end of the stream.
  /// - Throws: `TestFailure` for what a client must not send, and after 30 s of silence.
  package func nextFrame() throws -> RawFrame? {
    guard let head = try bytes(2).map(Array.init) else { return nil }
    var frame = RawFrame(
      isFinal: head[0] & 0x80 != 0, reserved: head[0] >> 4 & 7, opcode: head[0] & 15, payload: [])
    guard frame.reserved & ~reservedAllowed == 0 else { throw TestFailure("a reserved bit") }
    guard [0, 1, 2, 8, 9, 10].contains(frame.opcode) else { throw TestFailure("a strange opcode") }
    guard head[1] & 0x80 != 0 else { throw TestFailure("an unmasked frame") }
    var count = Int(head[1] & 127)
    if frame.opcode >= 8 {
      guard frame.isFinal, count <= 125, frame.reserved == 0 else {
        throw TestFailure("a control frame that is none")
      }
    }
    if count > 125 {
      let least = count == 126 ? 126 : 65_536
      guard let length = try bytes(count == 126 ? 2 : 8) else { return nil }
      count = length.reduce(0) { $0 << 8 | Int($1) }
      guard count >= least else { throw TestFailure("a length in too many bytes") }
    }
    guard let key = try bytes(4).map(Array.init), let masked = try bytes(count) else { return nil }
    frame.payload = Array(masked)
    Self.unmask(&frame.payload, key)
    return frame
  }

  private static func unmask(_ bytes: inout [UInt8], _ key: [UInt8]) {
    let word = (0..<8).reduce(UInt64(0)) { $0 | UInt64(key[$1 & 3]) << UInt64(8 * $1) }
    let words = bytes.count / 8
    bytes.withUnsafeMutableBytes { bytes in
      for index in 0..<words {
        let value = bytes.loadUnaligned(fromByteOffset: index * 8, as: UInt64.self)
        bytes.storeBytes(of: value ^ word, toByteOffset: index * 8, as: UInt64.self)
      }
      for index in (words * 8)..<bytes.count { bytes[index] ^= key[index & 3] }
    }
  }
}
