import HotlineCore
import HotlineSystem
import HotlineTransport
import TOMLKit

extension ConfigurationReader {
  /// The upstreams of the file and, where it is the default one and not among them, the built-in
  /// one; and the default's index.
  mutating func readUpstreams() -> (upstreams: [UpstreamConfiguration], defaultIndex: Int) {
    var upstreams: [UpstreamConfiguration] = []
    let names = (upstreamTable?.keys ?? []).sorted()
    if names.count > Schema.upstreamsMax {
      problems.append(
        .init(
          "upstream",
          "\(names.count) upstreams are too many; at most \(Schema.upstreamsMax) would do",
          line: document?.outline.line(of: ["upstream"])))
    }
    var section = reader(["upstream"], upstreamTable, names)
    for name in names.prefix(Schema.upstreamsMax) {
      guard Self.isName(name) else {
        section.reject(
          name, "is no name for an upstream; 1 to 64 letters, digits, _ or - would do")
        continue
      }
      guard let own = section.subtable(name) else { continue }
      upstreams.append(upstream(name, own))
    }
    let wanted = defaultUpstream ?? Self.builtIn
    if !names.contains(wanted) {
      if wanted == Self.builtIn {
        upstreams.append(UpstreamConfiguration(name: wanted, preset: .smartAIPI))
        upstreams.sort { $0.name < $1.name }
      } else {
        let known = Set(names.filter(Self.isName) + [Self.builtIn]).sorted().map { "\"\($0)\"" }
        let line = document?.outline.line(of: ["default_upstream"])
        let message =
          "there is no upstream \(Showable.quoted(wanted)); "
          + known.joined(separator: " or ") + " would do"
        problems.append(.init("default_upstream", message, line: line))
      }
    }
    problems += section.problems
    return (upstreams, upstreams.firstIndex { $0.name == wanted } ?? 0)
  }

  /// The upstream that exists without a file.
  static let builtIn = "smartaipi"

  static func isName(_ name: String) -> Bool {
    1...64 ~= name.utf8.count && name.utf8.allSatisfy(TOMLOutline.isBareKeyCharacter)
  }

  private mutating func upstream(_ name: String, _ table: TOMLTable) -> UpstreamConfiguration {
    var reader = reader(["upstream", name], table, Schema.upstreamKeys)
    let preset = preset(&reader)
    var upstream = UpstreamConfiguration(name: name, preset: preset)
    if let text = reader.string("url", such: preset.url) {
      do throws(UpstreamAddress.Invalid) {
        upstream.endpoint = try UpstreamURL(text)
      } catch {
        reader.reject("url", Self.described(text, error, isSecret: reader.shown("url", "").isEmpty))
      }
    } else if preset.needsURL, !reader.rejected.contains("url") {
      reader.reject("url", "is missing; with the preset \(preset.name) it is \"\(preset.url)\"")
    }
    if let headers = reader.subtable("headers") {
      upstream.headers = self.headers(headers, &reader)
    }
    if let envelope = reader.choice("envelope", UpstreamConfiguration.Envelope.self) {
      upstream.envelope = envelope
    }
    if let storeFalse = reader.bool("store_false") { upstream.storeFalse = storeFalse }
    if let continuation = reader.choice("continuation", UpstreamConfiguration.Continuation.self) {
      upstream.continuation = continuation
    }
    upstream.failover = reader.strings("failover", such: "other") ?? []
    readHandshake(&reader, into: &upstream)
    readTLS(&reader, into: &upstream)
    readProxy(&reader, into: &upstream)
    if let compression = reader.choice("compression", UpstreamConfiguration.Compression.self) {
      upstream.compression = compression
    }
    reader.read(Schema.upstream, into: &upstream.limits)
    if let cancel = reader.choice("cancel", CancelPolicy.self) { upstream.limits.cancel = cancel }
    if let rateLimits = reader.choice("rate_limits", RateLimitPolicy.self) {
      upstream.limits.rateLimits = rateLimits
    }
    checkConnections(upstream.limits, &reader)
    readWarmUp(&reader, into: &upstream, preset)
    upstream.keyPolicy = keyPolicy(upstream, &reader, wantsKey: preset.wantsKey)
    finish(reader)
    return upstream
  }

  /// The message about a URL, with no part of it that may be secret.
  static func described(
    _ text: String, _ problem: UpstreamAddress.Invalid, isSecret: Bool
  ) -> String {
    let shown = isSecret ? "" : Showable.quoted(UpstreamURL.displayed(text)) + " "
    return shown + problem.explanation
  }

  private func preset(_ reader: inout TableReader) -> Preset {
    guard let name = reader.string("preset", such: Preset.smartAIPI.name) else { return .smartAIPI }
    if let preset = Preset.named(name) { return preset }
    let known = Preset.all.map { "\"\($0.name)\"" }.joined(separator: ", ")
    reader.reject("preset", "\(reader.shown("preset", name))is not known; known are: \(known)")
    return .smartAIPI
  }

  private func checkConnections(_ limits: UpstreamLimits, _ reader: inout TableReader) {
    guard limits.connectionsWarm > limits.connectionsMax,
      reader.rejected.isDisjoint(with: ["connections_warm", "connections_max"])
    else { return }
    reader.reject(
      "connections_warm",
      "\(limits.connectionsWarm) is more than connections_max, "
        + "\(limits.connectionsMax); lower it or raise connections_max")
  }

  private func headers(
    _ table: TOMLTable, _ reader: inout TableReader
  ) -> [UpstreamConfiguration.Header] {
    var headers: [UpstreamConfiguration.Header] = []
    let names = table.keys.sorted()
    guard names.count <= Schema.headersMax else {
      reader.reject(
        "headers", "\(names.count) headers are too many; at most \(Schema.headersMax) would do")
      return []
    }
    for name in names {
      if let explanation = HeaderRules.problem(withName: name) {
        reader.reject("headers", under: [name], explanation)
      } else if headers.contains(where: { $0.name.lowercased() == name.lowercased() }) {
        reader.reject(
          "headers", under: [name], "stands twice (capitals make no difference); keep one")
      } else if let node = table[name], node.type != .string {
        let type = TableReader.described(node, isSecret: true)
        reader.reject("headers", under: [name], "is \(type), but has to be a string")
      } else if let value = table[name]?.string {
        if let explanation = HeaderRules.problem(withValue: value) {
          reader.reject("headers", under: [name], explanation)
        } else {
          headers.append(.init(name: name, value: value))
        }
      }
    }
    return headers
  }

  private func readHandshake(
    _ reader: inout TableReader, into upstream: inout UpstreamConfiguration
  ) {
    if let name = reader.string("key_header", such: "api-key") {
      if let problem = HeaderRules.problem(withName: name) {
        reader.reject("key_header", problem)
      } else {
        upstream.keyHeader = name.lowercased() == "authorization" ? .bearer : .named(name)
      }
    }
    if let name = reader.string("key_variable", such: "OPENAI_API_KEY") {
      if Surroundings.isVariable(name) {
        upstream.keyVariable = name
      } else {
        reader.reject(
          "key_variable", "is no name of a variable; letters, digits and _ would do")
      }
    }
    if let name = reader.string("subprotocol", such: "openai-beta.responses.v1") {
      if HeaderRules.isToken(name) {
        upstream.subprotocol = name
      } else {
        reader.reject(
          "subprotocol",
          "\(reader.shown("subprotocol", name))is no sub-protocol; letters, digits and "
            + "!#$%&'*+-.^_`|~ would do (RFC 6455, 4.1)")
      }
    }
  }

  private func keyPolicy(
    _ upstream: UpstreamConfiguration, _ reader: inout TableReader, wantsKey: Bool
  ) -> KeyPolicy {
    let file = path("api_key_file", &reader, such: "~/.config/hotline/keys/NAME")
    var wantsNone = false
    if let text = reader.string("api_key", such: "none") {
      wantsNone = text == "none"
      if !wantsNone {
        reader.reject(
          "api_key",
          "takes only \"none\", for a server that wants no key; a key has to lie in a "
            + "file, see api_key_file")
      } else if reader.isGiven("api_key_file") {
        reader.reject("api_key", "\"none\" and api_key_file exclude each other; keep one of them")
      }
    }
    if !wantsKey, file == nil, !reader.isGiven("api_key"), !reader.isGiven("key_variable") {
      return .none
    }
    if upstream.hasKeyHeader, !wantsNone, !reader.rejected.contains("api_key") {
      reader.reject(
        "headers", under: [upstream.keyHeader.name],
        "the key is sent in this header; set api_key = \"none\" to send this one instead")
    }
    if wantsNone { return .none }
    var places: [KeyPlace] = []
    if let file {
      places.append(
        .init(
          source: .file(file), label: Showable.path(reader.path + ["api_key_file"]), isNamed: true))
    }
    return .lookup(places)
  }
}

extension UpstreamConfiguration {
  /// The configuration sets the header itself that would carry the key.
  var hasKeyHeader: Bool {
    headers.contains { $0.name.lowercased() == keyHeader.name.lowercased() }
  }
}

/// What a configured header may be. The messages quote no value.
enum HeaderRules {
  /// Those that the handshake sets (RFC 6455, 4.1) and those between two hops (RFC 9110, 7.6.1).
  private static let reserved: Set<String> = [
    "host", "upgrade", "connection", "keep-alive", "te", "trailer", "transfer-encoding",
    "content-length", "proxy-authorization", "proxy-connection", "expect",
  ]

  static func problem(withName name: String) -> String? {
    guard isToken(name) else {
      return "is no header name; letters, digits and !#$%&'*+-.^_`|~ would do (RFC 9110, 5.6.2)"
    }
    let lower = name.lowercased()
    if reserved.contains(lower) || lower.hasPrefix("sec-websocket-") {
      return "is set by the WebSocket handshake itself; leave it out"
    }
    return nil
  }

  /// RFC 9110, 5.6.2, and not overlong.
  static func isToken(_ text: String) -> Bool {
    1...128 ~= text.utf8.count && text.utf8.allSatisfy(isTokenCharacter)
  }

  static func problem(withValue value: String) -> String? {
    guard value.utf8.count <= Schema.headerValueBytesMax else {
      return "has more than \(Schema.headerValueBytesMax) bytes, the most taken"
    }
    guard value.utf8.allSatisfy({ 0x20...0x7E ~= $0 || $0 == 0x09 }) else {
      return "has a control character or one that is not ASCII in its value; leave it out"
    }
    guard value.utf8.first.map(isBlank) != true, value.utf8.last.map(isBlank) != true else {
      return "has white space around its value; leave it out"
    }
    return nil
  }

  private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }

  private static func isTokenCharacter(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
    default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
    }
  }
}
