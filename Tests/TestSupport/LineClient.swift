import Foundation
import Glibc

/// One line that the daemon wrote.
@dynamicMemberLookup
package struct Line: Sendable, CustomStringConvertible {
  /// Without its LF.
  package let bytes: [UInt8]
  package let json: JSON

  package init(_ bytes: [UInt8]) throws {
    self.bytes = bytes
    guard String(validating: bytes, as: UTF8.self) != nil else {
      throw TestFailure("the daemon wrote a line that is not UTF-8")
    }
    do {
      json = try JSON(parsing: bytes)
    } catch {
      let start = String(decoding: bytes.prefix(500), as: UTF8.self)
      throw TestFailure("the daemon wrote a line that is no JSON: \(start)")
    }
    if let misfit = ProtocolSchema.misfit(json, from: .daemon)
      ?? ProtocolSchema.complaint(about: json)
    {
      let start = String(decoding: bytes.prefix(600), as: UTF8.self)
      throw TestFailure("\(misfit); the line: \(start)")
    }
  }

  package var text: String { String(decoding: bytes, as: UTF8.self) }
  package var description: String { String(text.prefix(600)) }
  package subscript(dynamicMember name: String) -> JSON { json[name] }

  package var kind: String { json.type.string ?? "" }
  package var isDone: Bool { kind == "hotline.done" }
  package var isError: Bool { kind == "error" }
  /// The error's code, nil if this is none.
  package var code: String? { isError ? json.error.code.string : nil }
}

/// A program's end of one local connection, blocking with bounded waits.
///
/// Confined to the thread that uses it.
package final class LineClient {
  private let descriptor: Int32
  private let peer: AnyObject?
  private var isOpen = true
  private var buffer: [UInt8] = []
  private var start = 0

  /// Connects, waiting for the socket to appear.
  ///
  /// - Parameter peer: what has to live as long as this client.
  /// - Throws: `TestFailure` if nobody listens there in time.
  package init(
    _ path: String, keeping peer: AnyObject? = nil, within duration: Duration = Deadline.usual
  ) throws {
    self.peer = peer
    descriptor = try poll(for: "a listener on \(path)", within: duration) {
      let made = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
      if UnixAddress.with(path, { connect(made, $0, $1) }) == 0 { return made }
      Glibc.close(made)
      return nil
    }
  }

  deinit { close() }

  // MARK: Writing

  /// Writes one line and its LF.
  package func send(_ line: String) throws {
    try write(Array((line + "\n").utf8))
  }

  /// - Throws: `TestFailure` if the daemon has closed or does not read in time.
  package func write(_ bytes: [UInt8]) throws {
    let deadline = Deadline()
    var done = 0
    while done < bytes.count {
      let count = bytes.withUnsafeBytes {
        Glibc.send(
          descriptor, $0.baseAddress.map { $0 + done }, bytes.count - done,
          Int32(MSG_NOSIGNAL | MSG_DONTWAIT))
      }
      if count > 0 {
        done += count
      } else if errno == EAGAIN {
        try wait(for: Int16(POLLOUT), deadline, "the daemon to read")
      } else if errno != EINTR {
        throw TestFailure("the daemon no longer reads: \(String(cString: strerror(errno)))")
      }
    }
  }

  /// Writes what the daemon takes without delay.
  ///
  /// - Returns: the number of bytes that went, 0 if none did within `patience`.
  package func writeSome(_ bytes: ArraySlice<UInt8>, patience: Duration) throws -> Int {
    var entry = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
    let deadline = Deadline(in: patience)
    while Glibc.poll(&entry, 1, deadline.milliseconds) <= 0 {
      if deadline.isReached { return 0 }
    }
    let count = bytes.withUnsafeBytes {
      Glibc.send(
        descriptor, $0.baseAddress, $0.count,
        Int32(MSG_NOSIGNAL | MSG_DONTWAIT))
    }
    if count < 0, errno == EAGAIN { return 0 }
    guard count > 0 else { throw TestFailure("the daemon no longer reads") }
    return count
  }

  /// Nothing more will be asked.
  package func shutDownWriting() {
    shutdown(descriptor, Int32(SHUT_WR))
  }

  package func close() {
    if isOpen { Glibc.close(descriptor) }
    isOpen = false
  }

  // MARK: Reading

  /// The next line; nil when the daemon has closed.
  package func next(within duration: Duration = Deadline.usual) throws -> Line? {
    let deadline = Deadline(in: duration)
    var searched = start
    while true {
      if let end = buffer[searched...].firstIndex(of: 0x0A) {
        let line = Array(buffer[start..<end])
        start = end + 1
        return try Line(line)
      }
      searched = buffer.count
      let before = start
      guard try fill(deadline) else {
        guard start == buffer.count else { throw TestFailure("the last line has no LF") }
        return nil
      }
      searched -= before - start
    }
  }

  /// Reads on; false at the end.
  private func fill(_ deadline: Deadline) throws -> Bool {
    if start > 1 << 20 || start == buffer.count {
      buffer.removeFirst(start)
      start = 0
    }
    while true {
      let count = withUnsafeTemporaryAllocation(byteCount: 1 << 18, alignment: 1) { chunk in
        let count = recv(
          descriptor, chunk.baseAddress, chunk.count, Int32(MSG_DONTWAIT))
        if count > 0 { buffer.append(contentsOf: chunk[..<count]) }
        return count
      }
      if count > 0 { return true }
      if count == 0 || errno == ECONNRESET { return false }
      if errno == EAGAIN {
        let tail = String(decoding: buffer[start...].prefix(300), as: UTF8.self)
        try wait(for: Int16(POLLIN), deadline, "a line of the daemon; unfinished: \(tail)")
      } else if errno != EINTR {
        return false
      }
    }
  }

  private func wait(for events: Int16, _ deadline: Deadline, _ what: String) throws {
    var entry = pollfd(fd: descriptor, events: events, revents: 0)
    while Glibc.poll(&entry, 1, deadline.milliseconds) <= 0 {
      if deadline.isReached { throw TestFailure("waited too long for \(what)") }
    }
  }

  /// The next line, which has to be there.
  package func line(within duration: Duration = Deadline.usual) throws -> Line {
    guard let line = try next(within: duration) else {
      throw TestFailure("the daemon closed the connection instead of writing a line")
    }
    return line
  }

  /// Reads up to a line that satisfies `isWanted`; all lines read, that one last.
  package func lines(
    upTo what: String, within duration: Duration = Deadline.usual,
    _ isWanted: (Line) -> Bool
  ) throws -> [Line] {
    let deadline = Deadline(in: duration)
    var lines: [Line] = []
    while true {
      let left = Duration.milliseconds(Int(deadline.milliseconds))
      let found: Line?
      do {
        found = try next(within: left)
      } catch {
        throw TestFailure("\(error); wanted \(what); last lines: \(lines.suffix(3))")
      }
      guard let line = found else {
        throw TestFailure("the daemon closed before \(what); last lines: \(lines.suffix(3))")
      }
      lines.append(line)
      if isWanted(line) { return lines }
    }
  }

  /// Everything up to the end of the connection.
  package func linesToEnd(within duration: Duration = Deadline.usual) throws -> [Line] {
    var lines: [Line] = []
    let deadline = Deadline(in: duration)
    while let line = try next(within: .milliseconds(Int(deadline.milliseconds))) {
      lines.append(line)
    }
    return lines
  }

  /// Sends a line and reads the one that answers it.
  package func answer(to line: String) throws -> Line {
    try send(line)
    return try self.line()
  }

  /// Sends one request and reads up to its last line.
  package func ask(_ request: String, within duration: Duration = Deadline.usual) throws
    -> [Line]
  {
    try send(request)
    return try lines(upTo: "hotline.done", within: duration) { line in
      line.isDone || line.hotline.accepted.bool == false
    }
  }
}
