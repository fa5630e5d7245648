import Foundation
import Testing

/// `ping` and `status` against a scripted daemon.
@Suite struct QuestionTests {
  private static let pong =
    #"{"type":"hotline.pong","protocol":1,"version":"9.8.7","pid":4321,"uptime_s":7300}"#

  private func answer(_ line: String, to question: String) -> FakeDaemon {
    FakeDaemon { client in
      #expect(client.readLine() == #"{"type":"\#(question)"}"#)
      client.send(line)
      _ = client.readToEnd()
    }
  }

  @Test func pingShowsTimeVersionAndProcess() throws {
    let daemon = answer(Self.pong, to: "hotline.ping")
    let ending = Program("ping", socket: daemon.path).finish()
    #expect(ending.status == 0)
    let pattern = try Regex(
      #"hotlined 9\.8\.7 answered in \d+\.\d\d ms \(pid 4321, up 2 h 1 min, protocol 1\)\n"#)
    #expect(ending.output.wholeMatch(of: pattern) != nil)
  }

  @Test func pingAsJSONIsTheDaemonsLine() {
    let daemon = answer(Self.pong, to: "hotline.ping")
    let ending = Program("ping", "--json", socket: daemon.path).finish()
    #expect(ending == Program.Ending(status: 0, output: Self.pong + "\n", error: ""))
  }

  @Test func silentDaemonIsReported() {
    let daemon = FakeDaemon { client in _ = client.readToEnd() }
    let ending = Program("ping", "--timeout", "0.2", socket: daemon.path).finish()
    #expect(ending.status == 69)
    #expect(ending.error.contains("did not answer within 200 ms; restart it"))
  }

  @Test func daemonThatHangsUpIsReported() {
    let daemon = FakeDaemon { client in _ = client.readLine() }
    let ending = Program("status", socket: daemon.path).finish()
    #expect(ending.status == 69)
    #expect(ending.error.contains("closed the connection without an answer"))
  }

  @Test func refusalIsReported() {
    let daemon = answer(Lines.error("not_allowed", accepted: false), to: "hotline.status")
    #expect(Program("status", socket: daemon.path).finish().status == 77)
  }

  @Test func statusIsATable() {
    let line =
      #"{"type":"hotline.status","protocol":1,"version":"9.8.7","pid":4321,"uptime_s":75,"#
      + #""state":"running","upstreams":[{"name":"a","url":"wss://a.example/v1","default":true,"#
      + #""state":"backoff","last_error":"refused\u001b[2J","waiting":2,"connections_warm":1,"#
      + #""connections_max":8,"connections":[{"number":7,"state":"busy","age_s":61,"idle_s":null,"#
      + #""rtt_ms":12.34,"requests":5,"lanes":1,"lanes_busy":1,"tls_version":"TLSv1.3","#
      + #""tls_resumed":true}]}],"queue":{"waiting":2,"max":1024},"clients":[{"number":3,"#
      + #""pid":12,"uid":1000,"command":"so\ncat","open_requests":1,"unread_bytes":2048}],"#
      + #""memory_bytes":1572864}"#
    let daemon = answer(line, to: "hotline.status")
    let expected = """
      hotlined 9.8.7, pid 4321, running, up 1 min 15 s, 1.5 MiB of lines and events held
      2 of at most 1024 requests waiting

      UPSTREAM     STATE    WARM  CONNECTIONS  WAITING  URL
      a (default)  backoff  1     1 of 8       2        wss://a.example/v1

      last error of a: refused [2J

      CONNECTION  UPSTREAM  STATE  AGE        IDLE  RTT      REQUESTS  LANES   TLS
      7           a         busy   1 min 1 s  -     12.3 ms  5         1 of 1  TLSv1.3, resumed

      CLIENT  PID  UID   REQUESTS  UNREAD   COMMAND
      3       12   1000  1         2.0 KiB  so cat

      """
    let ending = Program("status", socket: daemon.path).finish()
    #expect(ending.status == 0)
    #expect(ending.output == expected)
    let again = answer(line, to: "hotline.status")
    #expect(Program("status", "--json", socket: again.path).finish().output == line + "\n")
  }

  @Test func statusBearsMembersThatAreMissingOrStrange() {
    let daemon = answer(
      #"{"type":"hotline.status","upstreams":[{"connections":[{}]},7],"clients":{}}"#,
      to: "hotline.status")
    let ending = Program("status", socket: daemon.path).finish()
    #expect(ending.status == 0)
    #expect(ending.output.hasPrefix("hotlined -, pid -\n\nUPSTREAM"))
  }
}
