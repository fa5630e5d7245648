import Glibc
import HotlineCore
import HotlineSystem
import HotlineWire

/// What an activated daemon does that cannot start: it tells those why who wait at its sockets, and
/// looks each time whether it can start by now.
///
/// Without it they would wait for a daemon that is started again and again, until the service
/// manager gives the socket up.
struct UnreadyService {
  /// How long it waits for the next client; whoever comes later has it started again.
  private static let patience: Duration = .seconds(5)
  /// Less than the service manager gives a start (TimeoutStartSec=, 90 s).
  private static let longest: Duration = .seconds(60)

  let sockets: [PassedSocket]
  let loader: ConfigurationLoader
  let notifier: ServiceNotifier
  let say: (String) -> Void

  /// Main thread; blocks.
  ///
  /// - Returns: the configuration, once it is good; who has come since waits at the socket.
  /// - Throws: ``ConfigurationError`` once nobody has come for a while.
  func run(
    after first: ConfigurationError
  ) throws(ConfigurationError) -> ConfigurationLoader.Loaded {
    var error = first
    let clients = DeclinedClients(sockets.map(\.descriptor))
    let end = ContinuousClock.now + Self.longest
    var patience = Duration.zero
    while clients.waitForClient(atMost: min(patience, ContinuousClock.now.duration(to: end))) {
      do throws(ConfigurationError) {
        return try loader.load()
      } catch let again {
        if again != error { say(again.description) }
        error = again
      }
      notifier.status("cannot start: \(Self.summary(error))")
      clients.decline { Self.line(error, for: $0) }
      patience = Self.patience
    }
    throw error
  }

  private static func summary(_ error: ConfigurationError) -> String {
    let more = error.problems.count - 1
    let first = error.problems.first.map(\.description) ?? ""
    return more > 0 ? "\(first); and \(more) more, see hotlined --check-config" : first
  }

  /// Strangers learn nothing of what is configured.
  private static func line(_ error: ConfigurationError, for peer: PeerCredentials?) -> [UInt8] {
    let isOwn = peer.map { $0.uid == 0 || $0.uid == getuid() } ?? false
    let reason = isOwn ? summary(error) : "see its log"
    let failure = HotlineError(
      .notConfigured, "hotlined cannot start: \(reason)", isRetryable: false)
    var bytes: [UInt8] = []
    LocalLine.Failure(requestID: nil, error: failure, isAccepted: false).append(to: &bytes)
    return bytes
  }
}
