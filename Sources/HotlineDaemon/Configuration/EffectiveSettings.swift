import HotlineCore
import HotlineSystem
import HotlineTLS
import HotlineTransport
import HotlineWire
import Logging

/// The configuration as it is in force: each key with its value and where that came from.
///
/// Nothing of it is a secret: header values are masked, URLs shown without what may be one, keys
/// left out.
struct EffectiveSettings {
  enum Value: Hashable {
    case text(String)
    case number(Int)
    case decimal(Double)
    case boolean(Bool)
    case list([String])
    /// Names with masked values.
    case masked([String])
    /// The key has no value.
    case none
  }

  struct Setting: Hashable {
    /// In full: `upstream.NAME.url`.
    let key: String
    let value: Value
    let origin: Configuration.Origin
  }

  static let mask = "***"

  private let configuration: Configuration
  private(set) var settings: [Setting] = []

  init(_ configuration: Configuration) {
    self.configuration = configuration
    let upstreams = configuration.upstreams
    add("default_upstream", .text(upstreams[configuration.defaultUpstream].name))
    add("budget_usd_per_day", .init(configuration.budgets.perDay))
    addService()
    add("metrics.socket", .init(configuration.monitoring.metricsSocket))
    add("metrics.listen", .init(configuration.monitoring.metricsAddress?.description))
    add("access_log", .init(configuration.monitoring.accessLog?.name))
    for route in configuration.routes.all {
      add(Showable.path(["route", route.pattern]), .text(route.upstream))
    }
    addPrices()
    for upstream in upstreams { add(upstream) }
    add("log_level", .text(configuration.logLevel.rawValue))
    add("log_format", .text(configuration.logFormat.rawValue))
  }

  private mutating func add(_ key: String, _ value: Value) {
    settings.append(
      Setting(key: key, value: value, origin: configuration.origins[key] ?? .default))
  }

  private mutating func addService() {
    let service = configuration.service
    add("socket.path", .init(configuration.socketPath))
    add("socket.allowed_uids", .list(service.allowedUIDs.sorted().map(String.init)))
    add("socket.allowed_gids", .list(service.allowedGIDs.sorted().map(String.init)))
    add(Schema.socket, of: configuration.limits, under: "socket")
    add(Schema.service, of: service, under: "socket")
    add(Schema.queue, of: configuration.limits, under: "queue")
    add("defaults.model", .init(configuration.defaults.model))
    add("defaults.instructions", .init(configuration.defaults.instructions))
  }

  /// Those of presets too, which apply to the upstreams of their providers alone.
  private mutating func addPrices() {
    let presets = configuration.upstreams.map(\.presetPrices)
    let known = presets.reduce(into: Set(configuration.prices.keys)) { $0.formUnion($1.keys) }
    for model in known.sorted() {
      let preset = presets.lazy.compactMap { $0[model] }.first
      let price = (configuration.prices[model] ?? Price()).filled(from: preset)
      let path = Showable.path(["price", model])
      add("\(path).input_per_million", .init(price.input))
      add("\(path).cached_input_per_million", .init(price.cachedInput))
      add("\(path).output_per_million", .init(price.output))
    }
    for (tag, budget) in configuration.budgets.perDayByTag.sorted(by: { $0.key < $1.key }) {
      add(Showable.path(["tag", tag]) + ".budget_usd_per_day", .decimal(budget))
    }
  }

  private mutating func add(_ upstream: UpstreamConfiguration) {
    let path = "upstream.\(upstream.name)"
    add("\(path).preset", .text(upstream.preset))
    add("\(path).url", .text(upstream.endpoint.displayed))
    add("\(path).api_key", .init(upstream.keyPolicy == .none ? "none" : nil))
    add("\(path).api_key_file", .init(upstream.namedKeyFile))
    add("\(path).key_header", .text(upstream.keyHeader.name))
    add("\(path).key_variable", .init(upstream.keyVariable))
    add("\(path).headers", .masked(upstream.headers.map(\.name)))
    add("\(path).subprotocol", .init(upstream.subprotocol))
    add("\(path).envelope", .text(upstream.envelope.rawValue))
    add("\(path).store_false", .boolean(upstream.storeFalse))
    add("\(path).continuation", .text(upstream.continuation.rawValue))
    add("\(path).ca_file", .init(upstream.caFile))
    add("\(path).ca_file_extra", .init(upstream.caFileExtra))
    add("\(path).client_certificate", .init(upstream.clientIdentity?.certificateFile))
    add("\(path).client_key", .init(upstream.clientIdentity?.keyFile))
    add("\(path).pin_sha256", .list(upstream.pins.map(\.base64)))
    add("\(path).tls_min", .text(upstream.tlsMin.rawValue))
    add("\(path).proxy", .init(upstream.proxy?.description))
    add("\(path).compression", .text(upstream.compression.rawValue))
    add("\(path).warm_up", .init(upstream.warmUp.map { Self.mask + " (\($0.byteCount) bytes)" }))
    add(Schema.upstream, of: upstream.limits, under: path)
    add("\(path).cancel", .text(upstream.limits.cancel.rawValue))
    add("\(path).failover", .list(upstream.failover))
    add("\(path).rate_limits", .text(upstream.limits.rateLimits.rawValue))
  }

  private mutating func add<Root>(
    _ limits: [LimitSetting<Root>], of root: Root, under path: String
  ) {
    for limit in limits {
      let value: Value =
        switch limit.field {
        case .count(let field, _), .bytes(let field, _): .number(root[keyPath: field])
        case .duration(let field, _): .text(Quantity.text(root[keyPath: field]))
        }
      add("\(path).\(limit.key)", value)
    }
  }
}

extension EffectiveSettings.Value {
  init(_ text: String?) { self = text.map { .text($0) } ?? .none }
  init(_ number: Double?) { self = number.map { .decimal($0) } ?? .none }
}

extension AccessLog.Target {
  /// As the configuration has it.
  fileprivate var name: String {
    switch self {
    case .journal: "journal"
    case .file(let path): path
    }
  }
}

extension UpstreamConfiguration {
  /// The file that the configuration or a flag names for its key.
  fileprivate var namedKeyFile: String? {
    guard case .lookup(let places) = keyPolicy, let place = places.first, place.isNamed,
      case .file(let path) = place.source
    else { return nil }
    return path
  }
}
