import Foundation
import Glibc
import Testing

/// A socket before the daemon's: passes on what goes either way, and judges every line of it.
///
/// For programs that speak to a daemon themselves. The daemon sees this process in their place.
package final class LineTap: Sendable {
  package let path: String
  private let listener: Int32

  /// - Parameters:
  ///   - daemon: the path of its socket.
  ///   - report: told of every line that does not fit.
  package init(
    _ daemon: String, in directory: TemporaryDirectory, name: String = "tap",
    report: @escaping @Sendable (String) -> Void = { Issue.record("\($0)") }
  ) throws {
    path = directory(name)
    let listener = try UnixSocket.bind(path)
    self.listener = listener
    guard listen(listener, 64) == 0 else { throw TestFailure("cannot listen on \(path)") }
    _ = fcntl(listener, F_SETFD, FD_CLOEXEC)
    Thread.detachNewThread {
      while case let client = accept(listener, nil, nil), client >= 0 {
        _ = fcntl(client, F_SETFD, FD_CLOEXEC)
        Self.connect(client, daemon, report)
      }
      close(listener)
    }
  }

  deinit { shutdown(listener, Int32(SHUT_RDWR)) }

  private static func connect(
    _ client: Int32, _ path: String, _ report: @escaping @Sendable (String) -> Void
  ) {
    let daemon = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard UnixAddress.with(path, { Glibc.connect(daemon, $0, $1) }) == 0 else {
      close(daemon)
      close(client)
      return
    }
    let isHalfOver = DispatchSemaphore(value: 0)
    Thread.detachNewThread {
      pass(from: daemon, to: client, LineChecker(.daemon, report: report))
      isHalfOver.signal()
    }
    Thread.detachNewThread {
      pass(from: client, to: daemon, LineChecker(.client, report: report))
      // A half-close has been passed on; a hang-up is one when the other half is over as well.
      var slot = pollfd(fd: client, events: 0, revents: 0)
      while Glibc.poll(&slot, 1, -1) < 0, errno == EINTR {}
      shutdown(daemon, Int32(SHUT_RDWR))
      isHalfOver.wait()
      close(daemon)
      close(client)
    }
  }

  private static func pass(from source: Int32, to sink: Int32, _ checker: LineChecker) {
    var checker = checker
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    while case let count = read(source, &chunk, chunk.count), count > 0 {
      checker.feed(chunk[..<count])
      var done = 0
      while done < count {
        let sent = chunk[done..<count].withUnsafeBytes {
          send(sink, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
        }
        guard sent > 0 else { return }
        done += sent
      }
    }
    shutdown(sink, Int32(SHUT_WR))
  }
}
