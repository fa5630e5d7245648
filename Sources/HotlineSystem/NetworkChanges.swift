import Glibc
import Synchronization

/// Tells when open connections may have died unnoticed: the network has changed, or the machine has
/// slept.
///
/// One thread of its own waits in poll(2) and wakes only for a change; between changes it costs
/// nothing. It ends with ``cancel()`` or with this object.
package final class NetworkChanges: Sendable {
  package enum Change: Hashable, Sendable, CaseIterable {
    /// An address, a route or a link came, went or changed its state (rtnetlink(7)).
    case network
    /// The wall clock jumped against the monotonic one, as it does after a suspend too.
    case clockJump
  }

  package struct Limits: Hashable, Sendable {
    /// Least time between two reports of one kind; what comes sooner is one report at its end.
    package var interval: Duration = .seconds(1)
    /// A lesser step of the wall clock, as time servers order it, and a shorter sleep are no jump.
    package var jumpMin: Duration = .seconds(1)
    /// Links, addresses and routes remembered, so that what is only said again is no change.
    package var entriesMax = 4096

    package init() {}
  }

  /// What cannot be watched here, and why: containers often forbid it. The rest is watched.
  package let failures: [Change: String]

  /// What is watched, and will be reported.
  package let watched: Set<Change>

  /// Closing it ends the thread; nil once it is closed.
  private let stop: Mutex<Int32?>

  /// Begins to watch; any thread.
  /// - Parameter receive: called on the thread of its own, not on the daemon loop; it must not
  ///   wait long. A call that is under way when ``cancel()`` returns may still end after it.
  package convenience init(
    limits: Limits = Limits(), receive: @escaping @Sendable (Change) -> Void
  ) {
    self.init(
      [
        .network: RouteSocket.open(entriesMax: limits.entriesMax),
        .clockJump: ClockJumpTimer.open(jumpMin: limits.jumpMin),
      ], limits: limits, receive: receive)
  }

  /// - Parameter opened: The source of each kind, or why there is none; takes the descriptors over.
  init(
    _ opened: [Change: Result<ChangeSource, SystemCallError>], limits: Limits,
    receive: @escaping @Sendable (Change) -> Void
  ) {
    var failures: [Change: String] = [:]
    var sources: [ChangeWatch.Source] = []
    for (change, result) in opened {
      switch result {
      case .success(let source):
        sources.append(
          .init(change: change, source: source, pacing: ReportPacing(limits.interval)))
      case .failure(let error):
        failures[change] = error.description
      }
    }
    do throws(SystemCallError) {
      stop = Mutex(try ChangeWatch.start(sources, receive: receive))
    } catch {
      for source in sources {
        close(source.source.descriptor)
        failures[source.change] = error.description
      }
      stop = Mutex(nil)
    }
    self.failures = failures
    watched = Set(opened.keys).subtracting(failures.keys)
  }

  /// Ends the watch; any thread, any number of times.
  package func cancel() {
    stop.withLock { descriptor in
      if let open = descriptor { close(open) }
      descriptor = nil
    }
  }

  deinit { cancel() }
}

/// A descriptor that becomes readable when something may have changed.
struct ChangeSource {
  enum Reading: Hashable {
    case changed, unchanged
    /// It will say nothing more.
    case broken
  }

  /// Closed when the watch ends.
  let descriptor: Int32
  /// Takes what the descriptor has; does not wait.
  let read: () -> Reading
}

/// A system call that failed.
package struct SystemCallError: Error, Hashable, CustomStringConvertible {
  let call: String
  let number: Int32

  init(_ call: String, _ number: Int32 = errno) {
    self.call = call
    self.number = number
  }

  package var description: String { "\(call): \(String(cString: strerror(number)))" }
}
