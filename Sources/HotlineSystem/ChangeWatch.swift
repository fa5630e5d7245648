import Glibc

/// The thread of ``NetworkChanges``: waits for its sources, and for the end.
///
/// Unchecked because it is handed to that one thread, and nobody else keeps it.
final class ChangeWatch: @unchecked Sendable {
  struct Source {
    let change: NetworkChanges.Change
    let source: ChangeSource
    var pacing: ReportPacing
    var isBroken = false
  }

  /// Bytes; nothing here is deep, and the report only passes the change on.
  private static let stackBytes = 256 << 10

  private var sources: [Source]
  /// Its other end is closed to end the watch.
  private let stop: Int32
  private let receive: @Sendable (NetworkChanges.Change) -> Void

  private init(
    _ sources: [Source], stop: Int32, receive: @escaping @Sendable (NetworkChanges.Change) -> Void
  ) {
    self.sources = sources
    self.stop = stop
    self.receive = receive
  }

  /// Starts the thread, which closes the sources' descriptors when it ends.
  /// - Returns: The descriptor to close to end it; nil where there is nothing to watch.
  static func start(
    _ sources: [Source], receive: @escaping @Sendable (NetworkChanges.Change) -> Void
  ) throws(SystemCallError) -> Int32? {
    guard !sources.isEmpty else { return nil }
    var ends: [Int32] = [-1, -1]
    let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
    guard socketpair(AF_UNIX, type, 0, &ends) == 0 else { throw SystemCallError("socketpair") }
    let watch = ChangeWatch(sources, stop: ends[0], receive: receive)
    let failure = watch.startThread()
    guard failure == 0 else {
      close(ends[0])
      close(ends[1])
      throw SystemCallError("pthread_create", failure)
    }
    return ends[1]
  }

  private func startThread() -> Int32 {
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    defer { pthread_attr_destroy(&attributes) }
    pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
    pthread_attr_setstacksize(&attributes, Self.stackBytes)
    let own = Unmanaged.passRetained(self)
    var thread = pthread_t()
    let failure = pthread_create(
      &thread, &attributes,
      { argument in
        if let argument { Unmanaged<ChangeWatch>.fromOpaque(argument).takeRetainedValue().run() }
        return nil
      }, own.toOpaque())
    if failure != 0 { own.release() }
    return failure
  }

  private func run() {
    var waiting = [pollfd(fd: stop, events: Int16(POLLIN), revents: 0)]
    for source in sources {
      waiting.append(pollfd(fd: source.source.descriptor, events: Int16(POLLIN), revents: 0))
    }
    while true {
      let ready = poll(&waiting, nfds_t(waiting.count), timeout)
      // poll(2) knows no other failure for a handful of open descriptors.
      guard ready >= 0 || errno == EINTR else { break }
      if ready > 0, waiting[0].revents != 0 { break }
      for index in sources.indices {
        if ready > 0, waiting[index + 1].revents != 0 { readSource(index) }
        if sources[index].isBroken { waiting[index + 1].fd = -1 }
        if sources[index].pacing.deadlineReached(at: MonotonicTime.now) {
          receive(sources[index].change)
        }
      }
    }
    for source in sources { close(source.source.descriptor) }
    close(stop)
  }

  private func readSource(_ index: Int) {
    switch sources[index].source.read() {
    case .unchanged:
      return
    case .broken:
      sources[index].isBroken = true
    case .changed:
      if sources[index].pacing.changed(at: MonotonicTime.now) { receive(sources[index].change) }
    }
  }

  /// Milliseconds to the next deadline, rounded up; without one there is no end to the wait.
  private var timeout: Int32 {
    guard let deadline = sources.compactMap(\.pacing.nextDeadline).min() else { return -1 }
    let rest = max(.zero, deadline - MonotonicTime.now)
    let milliseconds = (rest / .milliseconds(1)).rounded(.up)
    return Int32(exactly: milliseconds) ?? .max
  }
}
