/// What reads bytes that somebody else has chosen, each with the properties that hold whatever the
/// bytes are.
///
/// The unit tests check them on the seeds and on mutations of them, `contrib/fuzz` on what
/// libFuzzer comes up with. Another target is another case: its `check` and its seeds.
package enum FuzzTarget: String, CaseIterable, Sendable {
  /// ``JSONScanner`` on a document.
  case json
  /// ``LineFramer`` on what a client sends.
  case lines
  /// ``ClientMessage`` and ``UpstreamDialect`` on one line of a client.
  case message
  /// ``FrameDecoder`` on what a server sends on an open connection.
  case frames
  /// ``FrameDecoder`` on compressed messages of a server, and what is compressed for one.
  case inflate
  /// ``UpgradeExchange`` on what a server answers to the upgrade.
  case upgrade
  /// ``ProxyConnect`` and ``ProxySOCKS`` on what a proxy answers to the wish for a tunnel.
  case proxy
  /// ``UpstreamEnvelope`` on one message of a server.
  case envelope

  /// - Throws: the first property that does not hold for `input`.
  package func check(_ input: [UInt8]) throws(BrokenProperty) {
    switch self {
    case .json: try checkJSON(input)
    case .lines: try checkLines(input)
    case .message: try checkMessage(input)
    case .frames: try checkFrames(input)
    case .inflate: try checkInflate(input)
    case .upgrade: try checkUpgrade(input)
    case .proxy: try checkProxy(input)
    case .envelope: try checkEnvelope(input)
    }
  }

  /// Inputs to begin with.
  package var seeds: [[UInt8]] {
    switch self {
    case .json: Seeds.json
    case .lines: Seeds.lines
    case .message: Seeds.messages
    case .frames: Seeds.frames
    case .inflate: Seeds.deflated
    case .upgrade: Seeds.upgrades
    case .proxy: Seeds.proxies
    case .envelope: Seeds.envelopes
    }
  }

  /// Words that chance would take long to find.
  package var words: [String] {
    switch self {
    case .json: Seeds.jsonWords
    case .lines, .frames: []
    case .inflate: Seeds.deflatedWords
    case .message: Seeds.jsonWords + Seeds.messageWords
    case .upgrade: Seeds.upgradeWords
    case .proxy: Seeds.upgradeWords + Seeds.proxyWords
    case .envelope: Seeds.jsonWords + Seeds.envelopeWords
    }
  }

  /// Bytes of the longest input that is worth its time.
  package var inputBytesMax: Int {
    switch self {
    case .json, .message, .envelope: 4096
    case .lines: 512
    case .frames: 2048
    case .inflate: 1024
    case .upgrade, .proxy: 24 << 10
    }
  }
}

/// Something that should hold for every input, and did not.
package struct BrokenProperty: Error, Hashable, CustomStringConvertible {
  package let description: String
}

/// - Throws: `description` if the property does not hold.
func hold(
  _ holds: Bool, _ description: @autoclosure () -> String
) throws(BrokenProperty) {
  guard holds else { throw BrokenProperty(description: description()) }
}

/// Bytes for a message to a person.
func shown(_ bytes: some Sequence<UInt8>) -> String {
  String(decoding: Array(bytes.prefix(200)), as: UTF8.self).debugDescription
}

/// An input's own bytes as the source of chance, so that an input always does the same.
struct InputChance {
  private var state: UInt64

  init(_ bytes: some Sequence<UInt8>) {
    // FNV-1a.
    state = bytes.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
  }

  /// A number from 0 to `bound` - 1.
  mutating func below(_ bound: Int) -> Int {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return Int(truncatingIfNeeded: state >> 33) % bound
  }

  /// `bytes` as they may come from a network: one by one, in two pieces, in four.
  mutating func cuts(_ bytes: ArraySlice<UInt8>) -> [[ArraySlice<UInt8>]] {
    [bytes.indices.map { bytes[$0...$0] }, pieces(bytes, count: 2), pieces(bytes, count: 4)]
  }

  /// `bytes` in up to `count` pieces, some of them perhaps empty.
  mutating func pieces(_ bytes: ArraySlice<UInt8>, count: Int) -> [ArraySlice<UInt8>] {
    var cuts = (1..<count).map { _ in bytes.startIndex + below(bytes.count + 1) }
    cuts.sort()
    var pieces: [ArraySlice<UInt8>] = []
    var start = bytes.startIndex
    for cut in cuts + [bytes.endIndex] {
      pieces.append(bytes[start..<cut])
      start = cut
    }
    return pieces
  }
}
