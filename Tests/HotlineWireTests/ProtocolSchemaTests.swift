import Foundation
import HotlineCore
import HotlineWire
import TestSupport
import Testing

/// The schema of the local protocol, and the judge that the other tests have by it.
@Suite struct ProtocolSchemaTests {
  private typealias Side = ProtocolSchema.Side

  private func misfit(_ line: String, from side: Side) throws -> String? {
    ProtocolSchema.misfit(try JSON(parsing: line), from: side)
  }

  @Test(arguments: Self.daemonLines) func theDaemonsLinesFit(line: String) throws {
    #expect(try misfit(line, from: .daemon) == nil)
  }

  @Test(arguments: Self.clientLines) func theClientsLinesFitAndAreTaken(line: String) throws {
    #expect(try misfit(line, from: .client) == nil)
    #expect(ClientMessageSample(line).refusal == nil)
  }

  @Test(arguments: Self.plantedInDaemonLines)
  func aPlantedFaultOfTheDaemonIsSeen(line: String, place: String) throws {
    let misfit = try #require(try misfit(line, from: .daemon))
    #expect(misfit.contains("hotline-protocol.schema.json does not allow: \(place) "))
  }

  @Test(arguments: Self.plantedInClientLines)
  func aPlantedFaultOfAClientIsSeenAndRefused(line: String, place: String) throws {
    let misfit = try #require(try misfit(line, from: .client))
    #expect(misfit.contains("does not allow: \(place) "))
    #expect(ClientMessageSample(line).refusal != nil)
  }

  @Test func theSchemaHasTheCodesOfTheErrors() {
    let listed = ProtocolSchema.schema[definition: "errorCode"]["enum"].array.compactMap(\.string)
    #expect(listed.sorted() == HotlineError.Code.allCases.map(\.rawValue).sorted())
  }

  @Test func theSchemaHasTheTypesThatAreTaken() throws {
    let listed = ProtocolSchema.schema[definition: "clientLine"].properties["type"]["enum"].array
      .compactMap(\.string)
    let refusal = try #require(ClientMessageSample(#"{"type":"x"}"#).refusal)
    #expect(refusal.detail.hasSuffix("known: \(listed.joined(separator: ", "))"))
  }

  @Test func aLineOfTheDaemonThatDoesNotFitIsAFailureWhoeverReadsIt() throws {
    let bad = #"{"type":"hotline.ok","request_id":[]}"#
    #expect(throws: TestFailure.self) { try Line(Array(bad.utf8)) }
    let seen = Reports()
    var checker = LineChecker(.daemon) { seen.append($0) }
    for byte in Array("{\"type\":\"hotline.ok\"}\n\n\(bad)\nnonsense\n".utf8) {
      checker.feed([byte])
    }
    #expect(seen.all.count == 2)
    #expect(seen.all.first?.contains("/request_id") == true)
    #expect(seen.all.last?.contains("no JSON") == true)
  }

  /// Python's implementation finds the schema sound and judges alike, also what this makes of the
  /// lines by taking away and replacing one value after another.
  @Test(Requires.pythonPackages) func anotherImplementationJudgesAlike() throws {
    let lines =
      Self.daemonLines.map { ("daemonLine", $0) } + Self.clientLines.map { ("clientLine", $0) }
      + Self.plantedInDaemonLines.map { ("daemonLine", $0.0) }
      + Self.plantedInClientLines.map { ("clientLine", $0.0) }
    let input = lines.map { "\($0)\t\($1)\n" }.joined()
    let ran = try ChildProcess.run(
      Requires.python(), ["-c", Self.judge, ProtocolSchema.path], input: input,
      within: .seconds(120))
    try #require(ran.end == .exited(0), "\(ran.errors)")
    let verdicts = ran.output.split(separator: "\n").map { $0.split(separator: "\t") }
    #expect(verdicts.count > 1000)
    #expect(verdicts.contains { $0[1] == "fits" } && verdicts.contains { $0[1] == "misfit" })
    for verdict in verdicts {
      let value = try JSON(parsing: String(verdict[2]))
      let own = ProtocolSchema.schema.misfit(of: value, to: String(verdict[0]))
      #expect((own == nil) == (verdict[1] == "fits"), "\(verdict): \(own ?? "fits")")
    }
  }

  private static let judge = #"""
    import copy, json, sys
    from jsonschema import Draft202012Validator as Validator
    schema = json.load(open(sys.argv[1]))
    Validator.check_schema(schema)

    def changed(value):
        yield from ({}, [], "x", "", 7, -1.5, True, None)
        if isinstance(value, dict):
            for name in value:
                rest = {other: value[other] for other in value if other != name}
                yield rest
                for new in changed(value[name]):
                    yield {**value, name: new}
        if isinstance(value, list):
            for index, item in enumerate(value):
                for new in changed(item):
                    yield value[:index] + [new] + value[index + 1:]

    for line in sys.stdin:
        name, text = line.rstrip("\n").split("\t")
        validator = Validator({"$ref": "#/$defs/" + name, "$defs": schema["$defs"]})
        value = json.loads(text)
        for each in [value, *changed(value)]:
            verdict = "fits" if validator.is_valid(each) else "misfit"
            print(name, verdict, json.dumps(each), sep="\t")
    """#
}

private final class Reports: @unchecked Sendable {
  private let lock = NSLock()
  private var lines: [String] = []

  func append(_ line: String) { lock.withLock { lines.append(line) } }
  var all: [String] { lock.withLock { lines } }
}
