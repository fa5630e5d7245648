import HotlineCore
import HotlineWire
import TestSupport
import Testing

/// A member as it is spelt in a line.
private struct SpelledMember: Equatable {
  var name: String
  var value: String
  /// Name, colon and value with the white space around them.
  var text: String
}

/// Random JSON in every spelling that RFC 8259 allows within one line.
private struct RandomJSON {
  var random: SplitMix64

  mutating func space() -> String {
    guard random.oneIn(3) else { return "" }
    return (0...random.below(3)).map { _ in random.pick([" ", "\t", "\r"]) }.joined()
  }

  mutating func string() -> String {
    let characters = [
      "a", "é", "😀", "\\\"", "\\\\", "\\/", "\\n", "\\u0000", "\\u00e9", "\\ud83d\\ude00",
      "\\ud800", "\\uDC00", "{", "}", "[", ",", ":", "\u{7F}", "\u{2028}", "type",
    ]
    return "\"" + (0..<random.below(6)).map { _ in random.pick(characters) }.joined() + "\""
  }

  mutating func value(_ depth: Int = 0) -> String {
    switch random.below(depth < 4 ? 8 : 6) {
    case 0, 1: return string()
    case 2, 3:
      return random.pick([
        "0", "-0", "-0.0", "1E400", "1e-7", "0.1e+1", "123456789012345678901234567890", "1.10",
      ])
    case 4: return random.pick(["true", "false", "null"])
    case 5: return random.pick(["[]", "{}", "{ }", "[\t]"])
    case 6:
      let elements = (0...random.below(3)).map { _ in space() + value(depth + 1) + space() }
      return "[" + elements.joined(separator: ",") + "]"
    default:
      let names = ["type", "stream_id", "model", "request_id", "x", "x"]
      let members = (0...random.below(3)).map { _ in
        space() + "\"\(random.pick(names))\"" + space() + ":" + space() + value(depth + 1) + space()
      }
      return "{" + members.joined(separator: ",") + "}"
    }
  }

  /// A name with some of its characters escaped.
  mutating func spelled(_ name: String) -> String {
    let characters = name.unicodeScalars.map { scalar in
      guard random.oneIn(8) else { return String(scalar) }
      let hex = String(scalar.value, radix: 16, uppercase: random.oneIn(2))
      return "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
    }
    return "\"" + characters.joined() + "\""
  }

  mutating func member(_ name: String, _ value: String) -> SpelledMember {
    let name = spelled(name)
    return SpelledMember(
      name: name, value: value, text: space() + name + space() + ":" + space() + value + space())
  }

  mutating func shuffled(_ members: [SpelledMember]) -> [SpelledMember] {
    members.shuffled(using: &random)
  }
}

@Suite struct ClientMessagePropertyTests {
  private static let unread = ["input", "tools", "x", "", "mode", "stores", "Type", "type "]

  /// Members of a body, and those the daemon takes out of it.
  private func members(_ json: inout RandomJSON) -> (kept: [SpelledMember], owned: [SpelledMember])
  {
    var kept: [SpelledMember] = []
    for _ in 0..<json.random.below(5) {
      kept.append(json.member(json.random.pick(Self.unread), json.value()))
    }
    if json.random.oneIn(2) { kept.append(json.member("model", json.value())) }
    if json.random.oneIn(3) { kept.append(json.member("instructions", json.value())) }
    if json.random.oneIn(3) { kept.append(json.member("prompt_cache_key", json.value())) }
    if json.random.oneIn(3) {
      kept.append(json.member("store", json.random.pick(["true", "false", "null", "5"])))
    }
    var owned: [SpelledMember] = []
    for name in ["event_id", "stream", "stream_options"] where json.random.oneIn(3) {
      owned.append(json.member(name, json.value()))
    }
    if json.random.oneIn(4) {
      owned.append(json.member("background", json.random.pick(["null", "false"])))
    }
    return (kept, owned)
  }

  /// A line, and the members that must arrive.
  private func line(_ json: inout RandomJSON) -> (line: String, kept: [SpelledMember]) {
    let body = members(&json)
    var own = [json.member("type", "\"response.create\"")]
    if json.random.oneIn(2) { own.append(json.member("request_id", "\"a\"")) }
    if json.random.oneIn(3) { own.append(json.member("hotline", "{ \"tag\" : \"t\" }")) }
    let isNested = json.random.oneIn(2)
    var inner = body.owned
    if isNested {
      if json.random.oneIn(3) { inner.append(json.member("type", json.value())) }
    } else {
      inner += own
    }
    let all = json.shuffled(body.kept + inner)
    let kept = all.filter { member in body.kept.contains(member) && !inner.contains(member) }
    var text = "{" + all.map(\.text).joined(separator: ",") + "}"
    if all.isEmpty { text = "{" + json.space() + "}" }
    guard isNested else { return (json.space() + text + json.space(), kept) }
    let outer = json.shuffled(
      own + members(&json).owned + [json.member("response", text)])
    return ("{" + outer.map(\.text).joined(separator: ",") + "}", kept)
  }

  /// Names and values of an object as they are spelt.
  private func members(of object: [UInt8]) throws -> [[String]] {
    try object.withUnsafeBytes { bytes in
      var scanner = JSONScanner(bytes)
      var members: [[String]] = []
      try scanner.enterObject()
      while let name = try scanner.nextName() {
        let value = try scanner.skipValue()
        let quoted = name.contents.lowerBound - 1..<name.contents.upperBound + 1
        members.append([quoted, value.range].map { String(decoding: bytes[$0], as: UTF8.self) })
      }
      try scanner.finish()
      return members
    }
  }

  @Test(arguments: 0..<20)
  func membersArriveByteForByteInOrder(_ seed: UInt64) throws {
    var json = RandomJSON(random: SplitMix64(seed: seed))
    for _ in 0..<200 {
      let (line, kept) = line(&json)
      let sample = ClientMessageSample(line)
      guard sample.request != nil else {
        Issue.record("seed \(seed): \(line) was refused: \(sample.message)")
        continue
      }
      let expected = kept.map { [$0.name, $0.value] }
      let flat = try #require(
        try sample.sent(UpstreamDialect(envelope: .flat, forcesStoreFalse: false)))
      #expect(
        try members(of: Array(flat.utf8)) == [[#""type""#, #""response.create""#]] + expected,
        "seed \(seed): \(line)")
      let nested = try #require(
        try sample.sent(UpstreamDialect(envelope: .nested, forcesStoreFalse: false)))
      let outer = try members(of: Array(nested.utf8))
      #expect(outer.map(\.[0]) == [#""type""#, #""response""#], "seed \(seed): \(line)")
      #expect(try members(of: Array(outer[1][1].utf8)) == expected, "seed \(seed): \(line)")
    }
  }

  @Test(arguments: 0..<10)
  func injectedMembersFollowTheKeptOnes(_ seed: UInt64) throws {
    var json = RandomJSON(random: SplitMix64(seed: seed &+ 1_000))
    let dialect = UpstreamDialect(envelope: .flat, defaultModel: "m", defaultInstructions: "i")
    for _ in 0..<200 {
      let (line, kept) = line(&json)
      let sample = ClientMessageSample(line)
      let body = try #require(sample.request?.body, "seed \(seed): \(line)")
      guard body.store != .true else {
        #expect(throws: HotlineError.self) { try dialect.message(for: body) }
        continue
      }
      var expected = [[#""type""#, #""response.create""#]]
      for member in kept {
        let isForced = member.value == "null" && isStore(member)
        expected.append([member.name, isForced ? "false" : member.value])
      }
      if body.store == .missing { expected.append([#""store""#, "false"]) }
      if !body.hasModel { expected.append([#""model""#, #""m""#]) }
      if !body.hasInstructions { expected.append([#""instructions""#, #""i""#]) }
      let flat = try #require(try sample.sent(dialect))
      #expect(try members(of: Array(flat.utf8)) == expected, "seed \(seed): \(line)")
    }
  }

  private func isStore(_ member: SpelledMember) -> Bool {
    Array(member.name.utf8).withUnsafeBytes { bytes in
      var scanner = JSONScanner(bytes)
      return (try? scanner.skipValue())?.text?.equals("store", in: bytes) == true
    }
  }

  // MARK: Hostile bytes

  private static let lines = [
    #"{"type":"response.create","request_id":"a\u0031","hotline":{"tag":"é","timeout_ms":5},"#
      + #""response":{"model":"m","store":null,"stream":true,"input":"😀\ud83d\ude00"}}"#,
    #"{"request_id":-12,"stream":true,"model":"m","type":"response.create","background":false}"#,
    #"{"type":"response.steer","request_id":"b","previous_response_id":null,"input":[1,{}]}"#,
    #"{"type":"session.\u0075pdate","request_id":"c"}"#,
    #"{"type":"response.cancel","request_id":"d"}"#,
    #"{ "type" : "hotline.ping" , "request_id" : "\ud800" }"#,
  ]

  @Test(arguments: lines)
  func everyTruncationIsInvalidJSON(_ line: String) {
    let bytes = Array(line.utf8)
    let whole = ClientMessageSample(line)
    #expect(whole.refusal?.code != .invalidJSON)
    for count in 0..<bytes.count {
      #expect(ClientMessageSample(Array(bytes[..<count])).refusal?.code == .invalidJSON)
    }
  }

  @Test(arguments: 0..<20)
  func mutatedLinesAreJudgedAndNeverTrap(_ seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    let interesting =
      Array("{}[]\",:\\u0019eE.-+tfn \t\r".utf8) + [0, 0x7F, 0x80, 0xC2, 0xED, 0xFF]
    let smart = UpstreamDialect(defaultModel: "m")
    for _ in 0..<2_000 {
      var bytes = Array(random.pick(Self.lines).utf8)
      for _ in 0...random.below(4) {
        let place = random.below(bytes.count)
        switch random.below(4) {
        case 0: bytes[place] = random.pick(interesting)
        case 1: bytes.insert(random.pick(interesting), at: place)
        case 2: if bytes.count > 1 { bytes.remove(at: place) }
        default: bytes[place] = UInt8(random.below(256))
        }
      }
      let sample = ClientMessageSample(bytes)
      #expect((sample.refusal?.code == .invalidJSON) == !isJSON(bytes), "seed \(seed): \(bytes)")
      if let request = sample.request {
        let message = try? smart.message(for: request.body)
        if let message {
          #expect(isJSON(bytes.withUnsafeBytes { message.bytes(of: $0) }), "seed \(seed): \(bytes)")
        }
      }
      if let forwarded = sample.forwarded, forwarded.responseID == nil {
        let message = try smart.message(for: forwarded, responseID: "r")
        #expect(isJSON(bytes.withUnsafeBytes { message.bytes(of: $0) }), "seed \(seed): \(bytes)")
      }
    }
  }

  private func isJSON(_ bytes: [UInt8]) -> Bool {
    bytes.withUnsafeBytes { bytes in
      var scanner = JSONScanner(bytes)
      do {
        _ = try scanner.skipValue()
        try scanner.finish()
        return true
      } catch {
        return false
      }
    }
  }
}
