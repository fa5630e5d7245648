import HotlineCore

/// A number of the configuration: its key, the limit that it sets, and what it may be.
struct LimitSetting<Root: Sendable>: Sendable {
  enum Field: Sendable {
    case count(any WritableKeyPath<Root, Int> & Sendable, ClosedRange<Int>)
    case bytes(any WritableKeyPath<Root, Int> & Sendable, ClosedRange<Int>)
    case duration(any WritableKeyPath<Root, Duration> & Sendable, ClosedRange<Duration>)
  }

  let key: String
  let field: Field

  init(_ key: String, _ field: Field) {
    self.key = key
    self.field = field
  }
}

/// Every key of the configuration, and the range of every number in it.
enum Schema {
  static let socket: [LimitSetting<Limits>] = [
    .init("clients_max", .count(\.clientsMax, 1...65_536)),
    .init("line_bytes_max", .bytes(\.lineBytesMax, kibibyte...gibibyte)),
    // At most half of what an event may have, for servers send requests back in their events.
    .init("nesting_max", .count(\.nestingMax, 8...256)),
    .init("requests_per_client_max", .count(\.requestsPerClientMax, 1...65_536)),
    .init("buffer_bytes_max", .bytes(\.bufferBytesMax, kibibyte...(4 * gibibyte))),
    .init("memory_max", .bytes(\.memoryBytesMax, mebibyte...(1024 * gibibyte))),
  ]
  static let service: [LimitSetting<Configuration.Service>] = [
    .init("exit_when_idle", .duration(\.exitWhenIdle, .zero...(7 * day)))
  ]
  static let queue: [LimitSetting<Limits>] = [
    .init("requests_max", .count(\.queueRequestsMax, 1...1_000_000)),
    .init("wait_timeout", .duration(\.waitTimeout, .milliseconds(100)...day)),
    .init("request_timeout", .duration(\.requestTimeout, .milliseconds(100)...(7 * day))),
    .init("shutdown_timeout", .duration(\.shutdownTimeout, .zero...day)),
    .init("interactive_weight", .count(\.interactiveWeight, 1...1000)),
  ]
  static let upstream: [LimitSetting<UpstreamLimits>] = [
    .init("connections_warm", .count(\.connectionsWarm, 0...1024)),
    .init("connections_max", .count(\.connectionsMax, 1...1024)),
    .init("lanes", .count(\.lanes, 1...LaneName.countMax)),
    .init("dials_max", .count(\.dialsMax, 1...64)),
    .init("connect_timeout", .duration(\.connectTimeout, .milliseconds(100)...(5 * minute))),
    .init("ping_interval", .duration(\.pingInterval, .milliseconds(100)...hour)),
    .init("pong_timeout", .duration(\.pongTimeout, .milliseconds(100)...hour)),
    .init("probe_timeout", .duration(\.probeTimeout, .milliseconds(100)...(5 * minute))),
    .init("idle_limit", .duration(\.idleLimit, .seconds(1)...(7 * day))),
    .init("age_limit", .duration(\.ageLimit, .seconds(1)...(7 * day))),
    .init("age_margin", .duration(\.ageMargin, .zero...day)),
    .init("shrink_after", .duration(\.shrinkAfter, .milliseconds(100)...(7 * day))),
    .init("patience", .duration(\.patience, .zero...minute)),
    .init("circuit_after", .duration(\.circuitAfter, .milliseconds(100)...day)),
    .init("abandoned_timeout", .duration(\.abandonedTimeout, .milliseconds(100)...hour)),
    .init("steer_timeout", .duration(\.steerTimeout, .milliseconds(100)...hour)),
    .init("message_bytes_max", .bytes(\.messageBytesMax, kibibyte...gibibyte)),
    .init("event_bytes_max", .bytes(\.eventBytesMax, kibibyte...gibibyte)),
  ]

  static let tables = [
    "socket", "queue", "defaults", "metrics", "route", "price", "tag", "upstream",
  ]
  static let rootKeys = ["default_upstream", "budget_usd_per_day", "access_log"] + tables
  static let socketKeys =
    ["path", "allowed_uids", "allowed_gids"] + socket.map(\.key) + service.map(\.key)
  static let queueKeys = queue.map(\.key)
  static let defaultsKeys = ["model", "instructions"]
  static let metricsKeys = ["socket", "listen"]
  static let priceKeys = ["input_per_million", "cached_input_per_million", "output_per_million"]
  static let tagKeys = ["budget_usd_per_day"]
  static let upstreamKeys =
    [
      "preset", "url", "api_key_file", "api_key", "key_header", "key_variable", "headers",
      "subprotocol", "envelope", "ca_file", "rate_limits", "failover",
      "continuation", "store_false", "cancel", "ca_file_extra", "client_certificate", "client_key",
      "pin_sha256", "tls_min", "proxy", "compression", "warm_up",
    ] + upstream.map(\.key)

  /// Bytes of the configuration file.
  static let fileBytesMax = mebibyte
  /// Parts of a dotted key.
  static let keyPartsMax = 64
  /// Upstreams in the file.
  static let upstreamsMax = 64
  static let modelCharacters = 1...256
  static let instructionsCharacters = 1...262_144
  static let warmUpBytes = 2...262_144
  static let headersMax = 64
  /// Models with a price or a route, and labels with a budget.
  static let namedTablesMax = 256
  static let usdPerMillionMax = 1e6
  static let budgetMax = 1e9
  static let pinsMax = 32
  /// Users, or groups, that may speak.
  static let identifiersMax = 1024
  static let headerValueBytesMax = 8192

  /// Whether a full key is one of the configuration's own, so that its value may be shown.
  static func isKnown(_ path: [String]) -> Bool {
    switch path.count {
    case 1: rootKeys.contains(path[0])
    case 2 where path[0] == "socket": socketKeys.contains(path[1])
    case 2 where path[0] == "queue": queueKeys.contains(path[1])
    case 2 where path[0] == "defaults": defaultsKeys.contains(path[1])
    case 2 where path[0] == "metrics": metricsKeys.contains(path[1])
    case 2: ["price", "route", "tag", "upstream"].contains(path[0])
    case 3 where path[0] == "price": priceKeys.contains(path[2])
    case 3 where path[0] == "tag": tagKeys.contains(path[2])
    case 3: path[0] == "upstream" && upstreamKeys.contains(path[2])
    default: false
    }
  }

  private static let kibibyte = 1 << 10
  private static let mebibyte = 1 << 20
  private static let gibibyte = 1 << 30
  private static let minute = Duration.seconds(60)
  private static let hour = Duration.seconds(3600)
  private static let day = Duration.seconds(24 * 3600)
}

private func * (count: Int, duration: Duration) -> Duration { duration * count }
