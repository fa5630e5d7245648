import TestSupport
import Testing

/// The daemon behind a proxy.
@Suite(.serialized)
struct ProxyTests {
  private func url(_ proxy: ProxyProcess, _ scheme: String = "http") -> String {
    proxy.url(scheme, password: ProxyProcess.password)
  }

  private func expectNoPassword(_ text: String) {
    #expect(!text.contains("hunter2"), "\(text)")
    #expect(!text.contains("YW5uOmh1bnRlcjI"), "\(text)")
  }

  @Test(Requires.tools("tinyproxy"), arguments: ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
  func theEnvironmentsProxyIsUsedAndItsPasswordStaysSecret(variable: String) throws {
    let proxy = try ProxyProcess.http(isProtected: true)
    let rig = try Rig(arguments: ["--log-level", "trace"], environment: [variable: url(proxy)])
    let client = try rig.client()
    #expect(answerText(try client.ask(request("hello"))) == "Echo: hello")
    #expect(proxy.log.contains("CONNECT localhost:\(rig.simulator.port)"), "\(proxy.log)")
    let status = try client.answer(to: #"{"type":"hotline.status"}"#)
    #expect(status.json.upstreams[0].proxy.string == "http://127.0.0.1:\(proxy.port)")
    expectNoPassword(status.text)
    expectNoPassword(rig.daemon.log)
  }

  @Test(Requires.tools("tinyproxy", "microsocks"))
  func theUpstreamsOwnProxyComesBeforeTheEnvironments() throws {
    let proxy = try ProxyProcess.socks(isProtected: true)
    let rig = try Rig(
      upstream: "proxy = \"\(url(proxy, "socks5h"))\"",
      environment: ["HTTPS_PROXY": "http://127.0.0.1:1", "NO_PROXY": "*"])
    #expect(answerText(try rig.client().ask(request("hello"))) == "Echo: hello")
    let status = try rig.daemon.status()
    #expect(status.upstreams[0].proxy.string == "socks5h://127.0.0.1:\(proxy.port)")
  }

  @Test(arguments: ["localhost", "*"])
  func aServerThatIsListedIsReachedDirectly(list: String) throws {
    let rig = try Rig(environment: ["HTTPS_PROXY": "http://127.0.0.1:1", "NO_PROXY": list])
    #expect(try rig.daemon.status().upstreams[0].proxy == .null)
  }

  @Test func noneIsAnAnswerToo() throws {
    let rig = try Rig(
      upstream: "proxy = \"none\"", environment: ["HTTPS_PROXY": "http://127.0.0.1:1"])
    #expect(try rig.daemon.status().upstreams[0].proxy == .null)
  }

  @Test(Requires.tools("tinyproxy"))
  func aRefusalOfTheProxyReachesTheRequestAtOnce() throws {
    let proxy = try ProxyProcess.http(isProtected: true)
    let rig = try Rig(
      environment: ["HTTPS_PROXY": proxy.url("http", password: "hunter2-wrong")], isWarm: false)
    let lines = try rig.client().ask(request("hello"))
    #expect(lines.error?.code == "upstream_rejected", "\(lines)")
    let message = lines.error?.json.error.message.string ?? ""
    #expect(message.contains("does not take the user and the password"), "\(message)")
    expectNoPassword(lines.map(\.text).joined())
    expectNoPassword(try rig.client().answer(to: #"{"type":"hotline.status"}"#).text)
    expectNoPassword(rig.daemon.log)
  }
}
