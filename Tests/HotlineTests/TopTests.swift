import Glibc
import HotlineCore
import Testing

@testable import hotline

/// The live screen: as a pure value, and in a pseudo-terminal.
@Suite struct TopTests {
  private static let status =
    #"{"type":"hotline.status","version":"9.8.7","state":"running","uptime_s":75,"#
    + #""upstreams":[{"name":"smart","state":"ok","waiting":1,"connections_max":8,"connections":["#
    + #"{"number":7,"state":"busy","age_s":61,"idle_s":null,"rtt_ms":12.34,"requests":5,"#
    + #""lanes":1,"lanes_busy":1},{"number":8,"state":"dialing","age_s":0,"idle_s":null,"#
    + #""rtt_ms":null,"requests":0,"lanes":1,"lanes_busy":0}]}],"queue":{"waiting":1,"max":1024},"#
    + #""clients":[{"number":3,"pid":12,"command":"cron","requests":["#
    + #"{"request_id":"slow","state":"running","age_s":61,"connection":7,"model":"m1","#
    + #""tag":"night"},{"request_id":17,"state":"waiting","age_s":2,"connection":null,"#
    + #""model":"m2","tag":null}]},{"number":4,"pid":13,"command":"vim\u001b[2J","requests":["#
    + #"{"request_id":"x","state":"running","age_s":5,"connection":8,"model":null,"#
    + #""tag":null}]}],"memory_bytes":2048}"#

  private static func stats(_ requests: Int, _ tokens: Int) -> String {
    #"{"type":"hotline.stats","latency_ms":[{"upstream":"smart","first_text":{"count":3,"#
      + #""p50":231.4,"p90":900,"p99":60001}}],"usage":{"requests":\#(requests),"#
      + #""output_tokens":\#(tokens)},"days":[{"date":"2026-11-23","requests":\#(requests),"#
      + #""cost_usd":0.25}]}"#
  }

  private static func at(_ seconds: Int64) -> MonotonicInstant {
    MonotonicInstant(nanoseconds: seconds * 1_000_000_000)
  }

  private func model() -> TopModel {
    var model = TopModel()
    for (line, second) in [
      (Self.status, 1), (Self.stats(10, 100), 1), (Self.stats(14, 500), 3),
    ] as [(String, Int64)] {
      let isNew = Array(line.utf8).withUnsafeBytes { model.lineArrived($0, at: Self.at(second)) }
      #expect(isNew)
    }
    return model
  }

  private func lines(_ model: TopModel, columns: Int = 80, rows: Int = 24) -> [String] {
    TopScreen(model: model, columns: columns, rows: rows, style: .plain, isUnicode: false).lines
  }

  @Test func theScreenHasAllOfIt() {
    #expect(
      lines(model()) == [
        "hotlined 9.8.7  running  up 1 min 15 s  2 clients  2 running  1 waiting",
        "2.0 requests/s  200 tokens/s  2026-11-23: 14 requests  0.2500 USD  2.0 KiB held",
        "",
        "UPSTREAM  STATE  OPEN  WAITING  FIRST TEXT P50  P90           P99",
        "smart     ok     1/8   1        ###... 231ms    ###... 900ms  ###### 60.0s",
        "",
        "CONNECTION  STATE    AGE   IDLE  RTT      REQUESTS  LANES  UPSTREAM",
        "7           busy     1m1s  -     12.3 ms  5         1/1    smart",
        "8           dialing  0s    -     -        0         0/1    smart",
        "",
        "   CLIENT  PID  STATE    AGE   ON  MODEL  TAG      REQUEST",
        ">  3       12   running  1m1s  7   m1     night    slow",
        "   4       13   running  5s    8   -      vim [2J  x",
        "   3       12   waiting  2s    -   m2     cron     17",
        "", "", "", "", "", "", "", "", "",
        "q quit  s sort  / filter  j k select  c cancel  p pause  by age",
      ])
  }

  /// Whatever the size, there are so many lines and none is too long.
  @Test func itFitsEverySize() {
    for (columns, rows) in [(80, 24), (20, 5), (40, 10), (132, 50), (80, 8), (20, 30)] {
      let lines = lines(model(), columns: columns, rows: rows)
      #expect(lines.count == rows, "\(columns)x\(rows)")
      #expect(lines.allSatisfy { $0.count <= columns }, "\(columns)x\(rows): \(lines)")
      #expect(lines.last?.hasPrefix("q quit") == true)
    }
    #expect(lines(TopModel()).count == 24)
  }

  @Test func theSelectedRequestIsAlwaysThere() {
    var model = TopModel()
    let requests = (1...100).map { #"{"request_id":"r\#($0)","state":"waiting","age_s":\#($0)}"# }
    let line =
      #"{"type":"hotline.status","clients":[{"number":1,"command":"c","requests":["#
      + requests.joined(separator: ",") + "]}]}"
    _ = Array(line.utf8).withUnsafeBytes { model.lineArrived($0, at: Self.at(0)) }
    for index in 0..<105 {
      let selected = lines(model).filter { $0.hasPrefix(">") }
      #expect(selected.count == 1 && selected[0].hasSuffix(" r\(100 - min(index, 99))"))
      #expect(model.keyPressed(.down) == nil)
    }
  }

  @Test func keysSortAndFilter() {
    var model = model()
    func ids() -> [String] { model.visibleRows.map(\.request.id) }
    #expect(ids() == ["slow", "x", "17"])
    for order in [["17", "slow", "x"], ["17", "slow", "x"], ["x", "slow", "17"]] {
      _ = model.keyPressed(.character("s"))
      #expect(ids() == order, "\(model.sorting)")
    }
    _ = model.keyPressed(.character("/"))
    for key in "NIGHTs" { _ = model.keyPressed(.character(key)) }
    #expect(ids() == [])
    #expect(lines(model).last == "filter: NIGHTs_")
    _ = model.keyPressed(.backspace)
    _ = model.keyPressed(.enter)
    #expect(ids() == ["slow"])
    #expect(lines(model).last?.hasSuffix("only NIGHT") == true)
    _ = model.keyPressed(.escape)
    #expect(ids().count == 3)
    #expect(model.keyPressed(.character("q")) == .quit)
    #expect(model.keyPressed(.interrupt) == .quit)
  }

  @Test func aRequestIsCancelledAfterAYes() {
    var model = model()
    _ = model.keyPressed(.down)
    #expect(model.keyPressed(.character("c")) == nil)
    #expect(lines(model).last == "cancel x of client 4 (vim [2J)? y or n")
    #expect(model.keyPressed(.character("n")) == nil)
    #expect(model.mode == .browsing)
    _ = model.keyPressed(.character("c"))
    guard case .cancel(let request) = model.keyPressed(.character("y")) else {
      Issue.record("nothing is cancelled")
      return
    }
    #expect(request.client == 4 && request.id == "x")
    let ok = Array(#"{"type":"hotline.ok"}"#.utf8)
    #expect(ok.withUnsafeBytes { model.lineArrived($0, at: Self.at(9)) })
    #expect(lines(model).last == "the request was cancelled")
  }

  @Test func whatIsPausedDoesNotMove() {
    var model = model()
    _ = model.keyPressed(.character("p"))
    let line = Array(#"{"type":"hotline.status"}"#.utf8)
    #expect(!line.withUnsafeBytes { model.lineArrived($0, at: Self.at(9)) })
    #expect(model.rows.count == 3)
    #expect(lines(model).last?.hasSuffix("PAUSED") == true)
  }

  @Test func keysAreReadAsTerminalsSendThem() {
    let bytes = Array("aZ/\u{1B}[A\u{1B}OB\u{1B}[3~\r\u{7F}\u{03}\u{1B}".utf8)
    #expect(
      TerminalScreen.keys(in: bytes) == [
        .character("a"), .character("Z"), .character("/"), .up, .down, .enter, .backspace,
        .interrupt, .escape,
      ])
  }

  // MARK: In a terminal

  @Test(arguments: [[:], ["NO_COLOR": "1"]])
  func aTerminalIsDrawnOnAndGivenBack(_ more: [String: String]) {
    let daemon = FakeDaemon { client in
      #expect(client.readLine() == #"{"type":"hotline.watch","every_ms":1000}"#)
      client.send(Self.status)
      #expect(client.readLine() == #"{"type":"hotline.stats"}"#)
      client.send(Self.stats(10, 100))
      #expect(
        client.readLine() == #"{"type":"hotline.cancel","client":3,"request_id":"slow"}"#)
      client.send(#"{"type":"hotline.ok","request_id":"slow"}"#)
      _ = client.readToEnd()
    }
    let program = Program(
      arguments: ["top"], socket: daemon.path,
      variables: ["TERM": "xterm"].merging(more) { $1 }, output: .console)
    var screen = Screen(columns: 80, rows: 24)
    func wait(for text: String) -> Bool {
      program.readOutput { bytes in
        screen = Screen(columns: 80, rows: 24)
        screen.feed(bytes)
        return screen.lines.contains { $0.contains(text) }
      }
    }
    #expect(wait(for: "60.0s"))
    program.write(Array("c".utf8))
    var all: [UInt8] = []
    #expect(
      program.readOutput { bytes in
        all = bytes
        return String(decoding: bytes, as: UTF8.self).contains("cancel slow of client 3 (cron)?")
      })
    #expect(String(decoding: all, as: UTF8.self).contains("\u{1B}[1m") == more.isEmpty)
    program.write(Array("y".utf8))
    #expect(program.readOutput { String(decoding: $0, as: UTF8.self).contains("cancelled") })
    program.write(Array("q".utf8))
    let ending = program.finish()
    #expect(ending.status == 0 && ending.error == "")
    #expect(ending.output.hasSuffix("\u{1B}[?7h\u{1B}[?25h\u{1B}[?1049l"))
    #expect(screen.overflows == 0)
  }

  @Test func withoutATerminalThereIsNothingToDrawOn() {
    let daemon = FakeDaemon { client in _ = client.readToEnd() }
    let ending = Program("top", socket: daemon.path).finish()
    #expect(ending.status == 2)
    #expect(ending.error.contains("hotline watch"))
  }

  @Test func theTerminalIsGivenBackAsTheDaemonGoes() {
    let daemon = FakeDaemon { client in
      _ = client.readLine()
      client.send(Self.status)
      _ = client.readLine()
    }
    let program = Program(
      arguments: ["top"], socket: daemon.path, variables: ["TERM": "xterm"], output: .console)
    let ending = program.finish()
    #expect(ending.status == 69)
    #expect(ending.output.hasSuffix("\u{1B}[?7h\u{1B}[?25h\u{1B}[?1049l"))
  }
}

/// As much of a terminal as is drawn on here (ECMA-48): text, CR, LF, cursor home, erasing.
private struct Screen {
  private var cells: [[Character]]
  private let columns: Int
  private var column = 0
  private var row = 0
  /// Characters written behind the last column, or lines below the last row.
  private(set) var overflows = 0

  init(columns: Int, rows: Int) {
    self.columns = columns
    cells = Array(repeating: Array(repeating: " ", count: columns), count: rows)
  }

  var lines: [String] { cells.map { String($0) } }

  mutating func feed(_ bytes: [UInt8]) {
    var rest = String(decoding: bytes, as: UTF8.self).unicodeScalars[...]
    while let scalar = rest.popFirst() {
      switch scalar {
      case "\r": column = 0
      case "\n":
        row += 1
        if row >= cells.count { (row, overflows) = (cells.count - 1, overflows + 1) }
      case "\u{1B}":
        guard rest.first == "[" else { continue }
        rest.removeFirst()
        var parameters = ""
        while let next = rest.popFirst() {
          guard ("\u{40}"..."\u{7E}").contains(next) else {
            parameters.unicodeScalars.append(next)
            continue
          }
          control(next, parameters)
          break
        }
      default:
        if column < columns {
          cells[row][column] = Character(scalar)
          column += 1
        } else {
          overflows += 1
        }
      }
    }
  }

  private mutating func control(_ end: Unicode.Scalar, _ parameters: String) {
    switch end {
    case "H": (row, column) = (0, 0)
    case "K": for index in column..<columns { cells[row][index] = " " }
    case "J":
      for index in column..<columns { cells[row][index] = " " }
      for index in (row + 1)..<max(row + 1, cells.count) {
        cells[index] = Array(repeating: " ", count: columns)
      }
    default: break
    }
  }
}
