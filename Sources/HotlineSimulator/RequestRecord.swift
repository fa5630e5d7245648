import Glibc

/// A file that gets a line for each `response.create` received: its connection's number and its
/// mark, `-` where it has none.
///
/// A line is written before the request is acted on, so the file tells of every request of which
/// any event went out, even if the process was killed right after it. Several runs may write to one
/// file, one after the other. Confined to the simulator's loop.
final class RequestRecord {
  private let path: String
  private let descriptor: Int32

  /// - Throws: `SimulatorError` when the file cannot be opened.
  init(path: String) throws {
    self.path = path
    descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else {
      throw SimulatorError("cannot write \(path): \(String(cString: strerror(errno)))")
    }
  }

  deinit { close(descriptor) }

  func add(_ mark: String?, connection: Int) {
    let line = Array("\(connection) \(mark ?? "-")\n".utf8)
    // A record with holes would prove the opposite of what has happened.
    guard write(descriptor, line, line.count) == line.count else {
      fatalError("cannot write \(path): \(String(cString: strerror(errno)))")
    }
  }
}
