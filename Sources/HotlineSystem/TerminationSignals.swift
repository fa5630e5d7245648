import Dispatch
import Glibc

/// Delivers the signals that a daemon lives by to a closure.
///
/// Dispatch's signal sources (over signalfd(2)) work whichever thread the kernel picks: nothing has
/// to be masked before other threads start. Every delivery is one call, so the receiver counts, and
/// tells a second SIGTERM from the first.
package final class TerminationSignals: @unchecked Sendable {
  /// The signals listened to.
  package enum Signal: Hashable, Sendable, CaseIterable {
    /// SIGTERM: finish what was accepted, then end.
    case terminate
    /// SIGINT: a person at the terminal, meant as SIGTERM.
    case interrupt
    /// SIGHUP: read the configuration again.
    case hangUp
    /// SIGUSR1: for the daemon to give a meaning to.
    case user1

    package var number: Int32 {
      switch self {
      case .terminate: SIGTERM
      case .interrupt: SIGINT
      case .hangUp: SIGHUP
      case .user1: SIGUSR1
      }
    }
  }

  /// Immutable, and Dispatch's objects take calls from any thread; they are just not declared so.
  private let sources: [any DispatchSourceSignal]

  /// Begins to listen; when it returns, none of the signals ends the process any more.
  ///
  /// SIGPIPE is ignored from here on: a write to a closed pipe or socket fails with EPIPE instead.
  /// - Parameter receive: called one at a time on a queue of its own, not on the daemon loop; once
  ///   for each delivery, though the kernel may merge signals that come in the same moment.
  package init(receive: @escaping @Sendable (Signal) -> Void) {
    signal(SIGPIPE, SIG_IGN)
    let queue = DispatchQueue(label: "hotline.signals")
    let registered = DispatchGroup()
    sources = Signal.allCases.map { signal in
      let source = DispatchSource.makeSignalSource(signal: signal.number, queue: queue)
      registered.enter()
      source.setRegistrationHandler { registered.leave() }
      source.setEventHandler { receive(signal) }
      source.resume()
      return source
    }
    registered.wait()
  }

  /// Ends the delivery. The signals then have no effect; they do not get their default action back.
  package func cancel() {
    for source in sources { source.cancel() }
  }

  deinit { cancel() }
}
