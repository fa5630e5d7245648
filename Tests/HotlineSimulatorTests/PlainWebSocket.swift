import Foundation
import HotlineSimulator
import TestSupport

/// A WebSocket client of the simplest kind over a blocking socket, without TLS.
///
/// Knows only what these tests need, and shares no code with what it tests.
final class PlainWebSocket {
  /// What a read finds.
  enum Input: Equatable {
    case text(String)
    case binary([UInt8])
    case ping([UInt8])
    case pong([UInt8])
    case close(code: Int, reason: String)
    /// A frame as it came, which RFC 6455 forbids.
    case forbidden(firstByte: UInt8)
    /// The socket ended in order.
    case end
    /// The socket was reset.
    case reset
    /// Nothing came in time.
    case nothing
  }

  /// The head of the answer to the upgrade, and what came of its body.
  private(set) var head = ""
  /// Frames of the last text message.
  private(set) var framesOfMessage = 0
  /// Pings that came between the frames of a message.
  private(set) var pingsInMessages = 0
  private let socket: Int32
  private var buffer: [UInt8] = []
  private var bufferStart = 0

  init(
    port: Int, path: String = "/v1/realtime", key: String? = "sk-test", upgrades: Bool = true,
    extensions: String? = nil, headers: [String] = []
  ) throws {
    socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(port).bigEndian
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    let result = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard result == 0 else { throw POSIXError(.ECONNREFUSED) }
    setTimeout(milliseconds: Deadline.usualSeconds * 1000)
    write(
      Self.upgradeHead(
        port: port, path: path, key: key, upgrades: upgrades, extensions: extensions,
        headers: headers))
    readHead()
  }

  deinit { Glibc.close(socket) }

  var status: Int { Int(head.split(separator: " ").dropFirst().first ?? "") ?? 0 }

  func setTimeout(milliseconds: Int) {
    var time = timeval(tv_sec: milliseconds / 1000, tv_usec: milliseconds % 1000 * 1000)
    setsockopt(
      socket, SOL_SOCKET, SO_RCVTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
  }

  // MARK: Sending

  func send(_ text: String) {
    sendFrame(0x81, Array(text.utf8))
  }

  func sendFrame(_ firstByte: UInt8, _ payload: [UInt8], masked: Bool = true) {
    write(Self.frame(firstByte, payload, masked: masked))
  }

  static func frame(_ firstByte: UInt8, _ payload: [UInt8], masked: Bool = true) -> [UInt8] {
    var frame = [firstByte]
    let bit: UInt8 = masked ? 0x80 : 0
    switch payload.count {
    case ..<126: frame.append(bit | UInt8(payload.count))
    case ..<65_536: frame += [bit | 126, UInt8(payload.count >> 8), UInt8(payload.count & 255)]
    default:
      frame.append(bit | 127)
      for shift in stride(from: 56, through: 0, by: -8) {
        frame.append(UInt8(truncatingIfNeeded: payload.count >> shift))
      }
    }
    let mask: [UInt8] = [0x12, 0x34, 0x56, 0x78]
    if masked { frame += mask }
    return frame + (masked ? payload.enumerated().map { $1 ^ mask[$0 & 3] } : payload)
  }

  /// The head of an upgrade.
  static func upgradeHead(
    port: Int, path: String, key: String?, upgrades: Bool, extensions: String? = nil,
    headers: [String] = []
  ) -> [UInt8] {
    var lines = ["GET \(path) HTTP/1.1", "Host: localhost:\(port)"] + headers
    if let key { lines.append("Authorization: Bearer \(key)") }
    if let extensions { lines.append("Sec-WebSocket-Extensions: \(extensions)") }
    if upgrades {
      lines += ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"]
      lines.append("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")
    }
    return Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8)
  }

  /// Sends a nested request with this text and further members of `response`.
  func request(_ text: String, _ members: String = "") {
    let quoted = String(decoding: (try? JSONEncoder().encode(text)) ?? Data(), as: UTF8.self)
    send(
      #"{"type":"response.create","response":{"model":"gpt-5.3-codex","store":false,"input":"#
        + #"[{"type":"message","role":"user","content":[{"type":"input_text","text":\#(quoted)}]}]"#
        + members + "}}")
  }

  private func write(_ bytes: [UInt8]) {
    var sent = 0
    while sent < bytes.count {
      let count = bytes.withUnsafeBytes {
        Glibc.send(socket, $0.baseAddress! + sent, bytes.count - sent, Int32(MSG_NOSIGNAL))
      }
      guard count > 0 else { return }
      sent += count
    }
  }

  // MARK: Receiving

  /// The next message or control frame.
  func next() -> Input {
    var message: [UInt8] = []
    framesOfMessage = 0
    while true {
      guard let (header, length) = takeHeader() else { return endReason }
      guard header[0] & 0x70 == 0, header[1] & 0x80 == 0 else {
        return .forbidden(firstByte: header[0])
      }
      guard let payload = take(length) else { return endReason }
      let isFinal = header[0] & 0x80 != 0
      switch header[0] & 0x0F {
      case 0 where framesOfMessage == 0: return .forbidden(firstByte: header[0])
      case 0, 1:
        framesOfMessage += 1
        message += payload
        if isFinal { return .text(String(decoding: message, as: UTF8.self)) }
      case 2: return .binary(payload)
      case 8:
        let code = payload.prefix(2).reduce(0) { $0 << 8 | Int($1) }
        return .close(code: code, reason: String(decoding: payload.dropFirst(2), as: UTF8.self))
      case 9:
        guard framesOfMessage > 0 else { return .ping(payload) }
        pingsInMessages += 1
      case 10: return .pong(payload)
      default: return .forbidden(firstByte: header[0])
      }
    }
  }

  /// Text messages until one that ends a response, and the first other input if that comes before.
  func answer() -> (messages: [String], end: Input?) {
    let terminals: Set<String> = [
      "response.completed", "response.failed", "response.incomplete", "response.done", "error",
    ]
    var messages: [String] = []
    while true {
      let input = next()
      guard case .text(let text) = input else { return (messages, input) }
      messages.append(text)
      if terminals.contains(type(of: text)) { return (messages, nil) }
    }
  }

  /// The next frame as it came; nil at the end.
  func nextFrame() -> (first: UInt8, payload: [UInt8])? {
    guard let (header, length) = takeHeader(), let payload = take(length) else { return nil }
    return (header[0], payload)
  }

  /// A frame's first two bytes, and the length of its payload.
  private func takeHeader() -> ([UInt8], Int)? {
    guard let header = take(2) else { return nil }
    var length = Int(header[1] & 0x7F)
    if length >= 126 {
      guard let more = take(length == 126 ? 2 : 8) else { return nil }
      length = more.reduce(0) { $0 << 8 | Int($1) }
    }
    return (header, length)
  }

  private(set) var endReason = Input.end

  private func readHead() {
    while let byte = take(1) {
      head.unicodeScalars.append(Unicode.Scalar(byte[0]))
      if head.hasSuffix("\r\n\r\n") { break }
    }
    guard status != 101, let range = head.firstRange(of: "content-length: ") else { return }
    let count = Int(head[range.upperBound...].prefix { $0.isNumber }) ?? 0
    head += String(decoding: take(count) ?? [], as: UTF8.self)
  }

  private func take(_ count: Int) -> [UInt8]? {
    while buffer.count - bufferStart < count {
      var chunk = [UInt8](repeating: 0, count: 65_536)
      let received = recv(socket, &chunk, chunk.count, 0)
      guard received > 0 else {
        let isReset = received < 0 && errno == ECONNRESET
        endReason = received == 0 ? .end : isReset ? .reset : .nothing
        return nil
      }
      if bufferStart == buffer.count {
        buffer.removeAll(keepingCapacity: true)
        bufferStart = 0
      }
      buffer += chunk[..<received]
    }
    defer { bufferStart += count }
    return Array(buffer[bufferStart..<(bufferStart + count)])
  }
}

/// A message as an object, empty if it is none.
func object(_ text: String) -> [String: Any] {
  (try? JSONSerialization.jsonObject(with: Data(text.utf8))) as? [String: Any] ?? [:]
}

func type(of text: String) -> String {
  object(text)["type"] as? String ?? ""
}

/// The code in an error event.
func code(of text: String?) -> String? {
  (object(text ?? "")["error"] as? [String: Any])?["code"] as? String
}

/// Runs a simulator without TLS for the time of the body.
func withSimulator(
  _ settings: [String: String] = [:], recordPath: String? = nil,
  _ body: (Simulator) async throws -> Void
) async throws {
  var configuration = SimulatorConfiguration()
  configuration.isPlain = true
  configuration.recordPath = recordPath
  for (name, value) in settings { try configuration.behaviour.set(name, to: value) }
  let simulator = try Simulator(configuration)
  try await simulator.start()
  do {
    try await body(simulator)
  } catch {
    try await simulator.stop()
    throw error
  }
  try await simulator.stop()
}
