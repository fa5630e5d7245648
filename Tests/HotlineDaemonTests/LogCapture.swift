import Logging
import Synchronization

/// Keeps what is logged, a line each: the message and its metadata by name.
final class LogCapture: LogHandler, Sendable {
  private let kept = Mutex<[String]>([])
  private let level = Mutex(Logger.Level.trace)

  var lines: [String] { kept.withLock { $0 } }
  var logger: Logger { Logger(label: "test") { _ in self } }

  var logLevel: Logger.Level {
    get { level.withLock { $0 } }
    set { level.withLock { $0 = newValue } }
  }
  var metadata: Logger.Metadata {
    get { [:] }
    set {}
  }
  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { nil }
    set {}
  }

  func log(event: LogEvent) {
    var line = "\(event.level) \(event.message)"
    for (key, value) in (event.metadata ?? [:]).sorted(by: { $0.key < $1.key }) {
      line += " \(key)=\(value)"
    }
    kept.withLock { $0.append(line) }
  }
}
