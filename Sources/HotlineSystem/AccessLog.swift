import Glibc
import Synchronization

/// Lines for a file or the journal, written by a queue so that nobody waits for the disk.
///
/// Any thread. What cannot be written is dropped; the file is made with mode 0600.
package final class AccessLog: Sendable {
  package enum Target: Hashable, Sendable {
    case journal
    case file(String)
  }

  private struct State {
    var pending: [UInt8] = []
    var isScheduled = false
  }

  /// Bytes that may wait for the disk.
  private static let pendingBytesMax = 4 << 20

  package let target: Target
  /// Has a piece of work done, one after the other, where waiting for the disk hurts nobody.
  package typealias Queue = @Sendable (_ work: @escaping @Sendable () -> Void) -> Void

  private let queue: Queue
  private let tell: @Sendable (String) -> Void
  private let state = Mutex(State())
  /// Touched on the queue alone.
  nonisolated(unsafe) private var descriptor: Int32 = -1
  nonisolated(unsafe) private var hasTold = false
  private let journal: JournalSocket?

  /// - Parameters:
  ///   - queue: a serial one.
  ///   - tell: why lines are dropped, once until some are written again; called on the queue.
  package init(
    _ target: Target, on queue: @escaping Queue, journalSocket: String? = nil,
    tell: @escaping @Sendable (String) -> Void
  ) {
    self.target = target
    self.queue = queue
    self.tell = tell
    journal =
      target == .journal
      ? JournalSocket(path: journalSocket ?? JournalSocket.standardPath) : nil
  }

  deinit { if descriptor >= 0 { close(descriptor) } }

  /// - Parameter lines: whole ones, each with its LF.
  package func write(_ lines: [UInt8]) {
    let isFirst = state.withLock { state in
      guard state.pending.count + lines.count <= Self.pendingBytesMax else { return false }
      state.pending += lines
      defer { state.isScheduled = true }
      return !state.isScheduled
    }
    if isFirst { queue { self.drain() } }
  }

  /// The next line goes to what has the file's name then.
  package func reopen() {
    queue {
      if self.descriptor >= 0 { close(self.descriptor) }
      self.descriptor = -1
    }
  }

  private func drain() {
    let lines = state.withLock { state in
      state.isScheduled = false
      defer { state.pending = [] }
      return state.pending
    }
    let problem = target == .journal ? send(lines) : append(lines)
    if let problem, !hasTold { tell(problem) }
    hasTold = problem != nil
  }

  private func append(_ lines: [UInt8]) -> String? {
    guard case .file(let path) = target else { return nil }
    if descriptor < 0 {
      descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
      guard descriptor >= 0 else {
        return "cannot open \(LogText.sanitized(path)): \(errorText(errno))"
      }
    }
    guard lines.withUnsafeBytes({ AtomicFile.writeAll($0, to: descriptor) }) else {
      return "cannot write \(LogText.sanitized(path)): \(errorText(errno))"
    }
    return nil
  }

  /// The native protocol of the journal; a JSON line has no LF in it.
  private func send(_ lines: [UInt8]) -> String? {
    for line in lines.split(separator: 0x0A) {
      let entry =
        Array("PRIORITY=6\nSYSLOG_IDENTIFIER=hotlined\nHOTLINE_ACCESS=1\nMESSAGE=".utf8) + line
        + [0x0A]
      switch journal?.send(entry) {
      case .sent: continue
      case .busy: return "the journal does not keep up"
      case .failed, nil: return "there is no journal at \(JournalSocket.standardPath)"
      }
    }
    return nil
  }
}
