import Foundation
import Glibc
import TestSupport

/// A daemon of a few lines: accepts one client on a Unix socket and plays a script to it, then
/// perhaps another.
final class FakeDaemon: Sendable {
  let path: String
  private let directory: String
  private let isOver = DispatchSemaphore(value: 0)

  /// - Parameters:
  ///   - clients: how many there are, one after the other.
  ///   - script: runs on a thread of its own; the connection is closed after it.
  init(clients: Int = 1, _ script: @escaping @Sendable (FakeDaemonClient) -> Void) {
    directory = NSTemporaryDirectory() + "/hotline-\(UInt64.random(in: 0...UInt64.max))"
    path = directory + "/hotline.sock"
    mkdir(directory, 0o700)
    let listener = ListeningSocket.listen(at: path)
    let isOver = isOver
    Thread.detachNewThread {
      for number in 1...clients {
        let descriptor = accept(listener, nil, nil)
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        if number == clients { close(listener) }
        script(FakeDaemonClient(descriptor: descriptor))
        close(descriptor)
      }
      isOver.signal()
    }
  }

  /// Waits until the script has come to its end.
  func finish() -> Bool {
    isOver.wait(timeout: .now() + 20) == .success
  }

  deinit {
    unlink(path)
    rmdir(directory)
  }
}

/// The client as the fake daemon sees it.
final class FakeDaemonClient: @unchecked Sendable {
  let descriptor: Int32
  private var unread: [UInt8] = []
  private let checker = LineChecker(.client)

  init(descriptor: Int32) {
    self.descriptor = descriptor
  }

  /// The next line without its LF; nil at the end.
  func readLine() -> String? {
    var searched = 0
    while true {
      if let end = unread[searched...].firstIndex(of: 0x0A) {
        defer { unread.removeFirst(end + 1) }
        checker.check(Array(unread[..<end]))
        return String(decoding: unread[..<end], as: UTF8.self)
      }
      searched = unread.count
      guard fill() else { return nil }
    }
  }

  /// Nothing comes for so long, not even the end.
  func isSilent(milliseconds: Int32) -> Bool {
    var slots = [pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)]
    return unread.isEmpty && poll(&slots, 1, milliseconds) == 0
  }

  /// All that comes before the client's half-close or hang-up.
  func readToEnd() -> [UInt8] {
    while fill() {}
    defer { unread.removeAll() }
    return unread
  }

  private func fill() -> Bool {
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    let count = read(descriptor, &chunk, chunk.count)
    guard count > 0 else { return false }
    unread.append(contentsOf: chunk[..<count])
    return true
  }

  func send(_ lines: String...) {
    for line in lines { send(bytes: Array((line + "\n").utf8)) }
  }

  func send(bytes: [UInt8]) {
    var start = 0
    while start < bytes.count {
      let count = bytes[start...].withUnsafeBytes {
        Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
      guard count > 0 else { return }
      start += count
    }
  }
}

enum ListeningSocket {
  static func listen(at path: String) -> Int32 {
    let descriptor = bound(to: path)
    guard Glibc.listen(descriptor, 8) == 0 else { preconditionFailure("cannot listen at \(path)") }
    return descriptor
  }

  /// A socket that has a name and does not listen.
  static func bound(to path: String) -> Int32 {
    let descriptor = socket(
      AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    let result = UnixAddress.with(path) { bind(descriptor, $0, $1) }
    guard result == 0 else { preconditionFailure("cannot bind \(path)") }
    return descriptor
  }
}

/// Lines that daemons say.
enum Lines {
  static func delta(_ spelling: String) -> String {
    #"{"request_id":"ask","type":"response.output_text.delta","delta":"\#(spelling)"}"#
  }

  /// - Parameter response: the response's id.
  static func done(_ outcome: String, id: String = "ask", response: String? = nil) -> String {
    #"{"type":"hotline.done","request_id":"\#(id)","outcome":"\#(outcome)","#
      + #""response_id":\#(response.map { #""\#($0)""# } ?? "null"),"#
      + #""upstream":"test","connection":7,"reused":true,"resent":false,"#
      + #""usage":{"input_tokens":12,"output_tokens":34},"cost_usd":null,"#
      + #""timing_ms":{"queued":0.1,"first_event":2.0,"first_text":231.4,"total":1840.2},"#
      + #""events":1}"#
  }

  static func error(
    _ code: String, accepted: Bool, retryable: Bool = false, sent: String = "no", id: String = "ask"
  ) -> String {
    #"{"type":"error","request_id":"\#(id)","error":{"type":"hotline_error","code":"\#(code)","#
      + #""message":"what happened; what to do","param":null},"hotline":{"accepted":\#(accepted),"#
      + #""retryable":\#(retryable),"sent":"\#(sent)"}}"#
  }

  static func terminal(_ outcome: String, members: String = "") -> String {
    #"{"request_id":"ask","type":"response.\#(outcome)","response":{"id":"resp_1"\#(members)}}"#
  }
}
