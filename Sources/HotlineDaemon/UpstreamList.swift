import HotlineCore
import HotlineSystem
import HotlineWire

/// `--upstreams`: what requests may go to, and the presets that there are.
struct UpstreamList {
  /// Where an upstream's key comes from.
  enum Key: Hashable {
    case notWanted
    case found(label: String)
    case missing
    case unusable(String)
  }

  let configuration: Configuration
  /// In the order of the upstreams.
  let keys: [Key]

  init(_ configuration: Configuration, in surroundings: Surroundings) {
    self.configuration = configuration
    keys = configuration.upstreams.map { Self.key(of: $0, surroundings) }
  }

  private static func key(
    of upstream: UpstreamConfiguration, _ surroundings: Surroundings
  ) -> Key {
    guard case .lookup(let places) = upstream.keyPolicy else { return .notWanted }
    for place in places {
      switch surroundings.readSecret(place.source) {
      case .success(nil): continue
      case .success: return .found(label: place.label)
      case .failure(let problem): return .unusable("\(place.label): \(problem.explanation)")
      }
    }
    return .missing
  }

  private func models(of upstream: UpstreamConfiguration) -> [String] {
    configuration.routes.all.filter { $0.upstream == upstream.name }.map(\.pattern)
  }

  // MARK: For people

  var text: String {
    var text = ""
    for (index, upstream) in configuration.upstreams.enumerated() {
      let isDefault = index == configuration.defaultUpstream
      text += "\(upstream.name)\(isDefault ? " (default)" : "")\n"
      let models = models(of: upstream)
      let facts = [
        ("preset", upstream.preset), ("url", LogText.sanitized(upstream.endpoint.displayed)),
        ("envelope", upstream.envelope.rawValue), ("lanes", "\(upstream.limits.lanes)"),
        ("continuation", upstream.continuation.rawValue),
        ("key", Self.words(keys[index], upstream)),
        ("models", models.isEmpty ? nil : LogText.sanitized(models.joined(separator: ", "))),
        ("prices", Self.words(upstream.presetPrices)),
      ]
      for case (let name, let value?) in facts { text += "  \(name.padded(to: 14))\(value)\n" }
      text += "\n"
    }
    text += "presets\n"
    for preset in Preset.all {
      let lines = [preset.url] + Self.words(preset) + [Self.words(preset.warmUp)]
      for (index, line) in lines.enumerated() {
        text += "  \((index == 0 ? preset.name : "").padded(to: 19))\(line)\n"
      }
    }
    return text
  }

  /// What it sets beside its URL.
  private static func words(_ preset: Preset) -> [String] {
    let store = preset.storeFalse ? ", store false" : ""
    let limits = preset.limits
    var form = [
      preset.envelope.rawValue + store, "lanes \(limits.lanes)",
      "continuation \(preset.continuation.rawValue)", "cancel \(limits.cancel.rawValue)",
    ]
    if let subprotocol = preset.subprotocol { form.append("sub-protocol \(subprotocol)") }
    let times =
      "idle limit \(limits.idleLimit.inMinutes), age limit \(limits.ageLimit.inMinutes), "
      + "messages up to \(limits.messageBytesMax >> 20) MiB"
    let headers = preset.headers.map { "\($0.name): \($0.value)" }
    let key = !preset.wantsKey ? "no key" : "key sent as \(preset.keyHeader.name)"
    let variable = preset.keyVariable.map { ", may be in $\($0)" } ?? ""
    return [form.joined(separator: ", "), times]
      + (headers.isEmpty ? [] : ["header \(headers.joined(separator: ", "))"]) + [key + variable]
  }

  private static func words(_ support: Preset.WarmUpSupport) -> String {
    switch support {
    case .known: "takes warm_up: it documents generate:false"
    case .unknown: "may take warm_up: it does not say whether it knows generate:false"
    case .none: "takes no warm_up: its protocol has no generate:false"
    }
  }

  private static func words(_ prices: [String: Price]) -> String? {
    guard !prices.isEmpty else { return nil }
    return "of \(prices.keys.sorted().joined(separator: ", ")), as of \(Preset.pricesDate)"
  }

  private static func words(_ key: Key, _ upstream: UpstreamConfiguration) -> String {
    switch key {
    case .notWanted: "none wanted"
    case .found(let label): "in \(LogText.sanitized(label)), sent as \(upstream.keyHeader.name)"
    case .missing: "missing; \"hotline key set --upstream \(upstream.name)\" stores one"
    case .unusable(let problem): LogText.sanitized(problem)
    }
  }

  // MARK: For programs

  var json: [UInt8] {
    var line = JSONWriter()
    line.beginObject()
    line.name("upstreams")
    line.beginArray()
    for (index, upstream) in configuration.upstreams.enumerated() {
      line.beginObject()
      line.member("name", upstream.name)
      line.member("default", index == configuration.defaultUpstream)
      line.member("preset", upstream.preset)
      line.member("url", upstream.endpoint.displayed)
      line.member("envelope", upstream.envelope.rawValue)
      line.member("lanes", upstream.limits.lanes)
      line.member("continuation", upstream.continuation.rawValue)
      line.member("key_header", upstream.keyPolicy == .none ? nil : upstream.keyHeader.name)
      append(keys[index], to: &line)
      line.name("models")
      line.beginArray()
      for model in models(of: upstream) { line.string(model) }
      line.endArray()
      line.member("prices_date", upstream.presetPrices.isEmpty ? nil : Preset.pricesDate)
      line.endObject()
    }
    line.endArray()
    line.name("presets")
    line.beginArray()
    for preset in Preset.all {
      line.beginObject()
      line.member("name", preset.name)
      line.member("url", preset.url)
      line.member("envelope", preset.envelope.rawValue)
      line.member("lanes", preset.limits.lanes)
      line.member("continuation", preset.continuation.rawValue)
      line.member("store_false", preset.storeFalse)
      line.member("subprotocol", preset.subprotocol)
      line.member("cancel", preset.limits.cancel.rawValue)
      line.member("idle_limit_s", preset.limits.idleLimit.components.seconds)
      line.member("age_limit_s", preset.limits.ageLimit.components.seconds)
      line.member("message_bytes_max", preset.limits.messageBytesMax)
      line.name("headers")
      line.beginObject()
      for header in preset.headers {
        line.name(text: header.name)
        line.string(header.value)
      }
      line.endObject()
      line.member("key_header", preset.wantsKey ? preset.keyHeader.name : nil)
      line.member("key_variable", preset.keyVariable)
      line.member("warm_up", preset.warmUp.rawValue)
      line.endObject()
    }
    line.endArray()
    line.endObject()
    line.endLine()
    return line.bytes
  }

  private func append(_ key: Key, to line: inout JSONWriter) {
    let (state, place): (String, String?) =
      switch key {
      case .notWanted: ("not_wanted", nil)
      case .found(let label): ("found", label)
      case .missing: ("missing", nil)
      case .unusable(let problem): ("unusable", problem)
      }
    line.member("key", state)
    line.member("key_place", place)
  }
}

extension UpstreamList {
  /// Main thread.
  ///
  /// - Returns: the exit status.
  static func run(_ options: CommandLineOptions, _ surroundings: Surroundings) -> Int32 {
    do throws(ConfigurationError) {
      let configuration = try Configuration.load(options, in: surroundings, socketIsPassed: true)
      let list = UpstreamList(configuration, in: surroundings)
      return Daemon.print(options.json ? list.json : Array(list.text.utf8))
        ? Daemon.ExitStatus.success : Daemon.ExitStatus.failure
    } catch {
      return Daemon.complain(error.description, status: Daemon.ExitStatus.configuration)
    }
  }
}

extension Duration {
  /// For limits, which are whole minutes: `55 min`.
  fileprivate var inMinutes: String { "\(components.seconds / 60) min" }
}
