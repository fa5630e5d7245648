// OpenSSL's headers bring <time.h> along; its structures may then count as either module's.
import COpenSSL
import Glibc

/// A client's end, blocking; each read and write may take as long as anything may.
package final class UnixSocket {
  package struct Failure: Error { package let code = errno }

  private var descriptor: CInt
  /// Judges what is read, where that is lines of the daemon.
  package var checker: LineChecker?

  package init(connectedTo path: String) throws {
    descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    var limit = timeval(tv_sec: Deadline.usualSeconds, tv_usec: 0)
    let size = socklen_t(MemoryLayout<timeval>.size)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, size)
    setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, size)
    guard UnixAddress.with(path, { Glibc.connect(descriptor, $0, $1) }) == 0 else {
      throw Failure()
    }
  }

  /// A bound socket, not yet listening.
  package static func bind(_ path: String) throws -> CInt {
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    guard UnixAddress.with(path, { Glibc.bind(descriptor, $0, $1) }) == 0 else { throw Failure() }
    return descriptor
  }

  package func write(_ text: String) throws {
    var text = text
    try text.withUTF8 { bytes in
      var rest = UnsafeRawBufferPointer(bytes)
      while !rest.isEmpty {
        let count = send(descriptor, rest.baseAddress, rest.count, Int32(MSG_NOSIGNAL))
        guard count > 0 else { throw Failure() }
        rest = UnsafeRawBufferPointer(rebasing: rest[count...])
      }
    }
  }

  /// Writes again and again until the socket has taken nothing for a quarter of a second.
  ///
  /// - Returns: bytes written.
  package func writeUntilFull(_ text: String, max: Int) -> Int {
    let bytes = Array(text.utf8)
    var sum = 0
    while sum < max {
      let flags = Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT)
      let offset = sum % bytes.count
      let count = bytes[offset...].withUnsafeBytes {
        send(descriptor, $0.baseAddress, $0.count, flags)
      }
      if count > 0 {
        sum += count
        continue
      }
      var poll = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
      guard Glibc.poll(&poll, 1, 250) == 1 else { break }
    }
    return sum
  }

  /// - Returns: nil at end of file.
  package func read(atMost count: Int = 65_536) throws -> [UInt8]? {
    var bytes = [UInt8](repeating: 0, count: count)
    let read = recv(descriptor, &bytes, count, 0)
    guard read >= 0 else { throw Failure() }
    checker?.feed(bytes[..<read])
    return read == 0 ? nil : Array(bytes[..<read])
  }

  package func readToEnd() throws -> String {
    var all: [UInt8] = []
    while let some = try read() { all += some }
    return String(decoding: all, as: UTF8.self)
  }

  /// Reads until `count` lines are there; what follows them in the same read is lost.
  package func readLines(_ count: Int) throws -> [String] {
    var all: [UInt8] = []
    var found = 0
    while found < count, let some = try read() {
      found += some.count { $0 == 0x0A }
      all += some
    }
    return String(decoding: all, as: UTF8.self).split(separator: "\n").map(String.init)
  }

  package func shutDownWriting() { shutdown(descriptor, Int32(SHUT_WR)) }

  package func close() {
    guard descriptor >= 0 else { return }
    Glibc.close(descriptor)
    descriptor = -1
  }

  deinit { close() }
}
