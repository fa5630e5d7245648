import Testing

@testable import HotlineTransport

struct ProxyAddressTests {
  @Test(arguments: [
    ("http://proxy.example:3128", "http://proxy.example:3128"),
    ("proxy.example:3128", "http://proxy.example:3128"),
    ("HTTP://Proxy.Example", "http://proxy.example:80"),
    ("https://proxy.example/", "https://proxy.example:443"),
    ("socks5://127.0.0.1", "socks5://127.0.0.1:1080"),
    ("socks5h://[::1]:9050", "socks5h://[::1]:9050"),
    ("http://user:pa%40ss@proxy.example:1", "http://proxy.example:1"),
    ("http://user:p@ss@proxy.example:1", "http://proxy.example:1"),
    ("user@proxy.example:1", "http://proxy.example:1"),
  ])
  func aGoodURLIsTakenApartAndShownWithoutItsUser(url: String, shown: String) throws {
    let proxy = try ProxyAddress(url: url)
    #expect(proxy.description == shown)
    #expect(proxy.hasCredentials == url.contains("user"))
  }

  @Test func credentialsAreDecodedAndNeverPrinted() throws {
    let proxy = try ProxyAddress(url: "http://us%2Fer:hunter2%3A%C3%A9@h:1")
    let credentials = try #require(proxy.credentials)
    #expect(credentials.user == Array("us/er".utf8))
    #expect(credentials.password == Array("hunter2:é".utf8))
    // The RFC's own example (7617, 2).
    let known = try ProxyAddress(url: "http://Aladdin:open%20sesame@h:1")
    #expect(known.credentials?.basic == "QWxhZGRpbjpvcGVuIHNlc2FtZQ==")
    var printed = ""
    dump(proxy, to: &printed)
    for text in ["\(credentials)", "\(proxy)", String(reflecting: proxy), printed] {
      #expect(!text.contains("hunter2"), "\(text)")
    }
  }

  @Test(arguments: [
    ("ftp://h:1", "begins with none of"),
    ("socks4://h:1", "begins with none of"),
    ("http://", "no host"),
    ("http://@h:1", "no user"),
    ("http://:secret@h:1", "no user"),
    ("http://se%3Acret:x@h:1", "Basic"),
    ("http://u:se%0Acret@h:1", "control character"),
    ("http://u:secret%@h:1", "hexadecimal"),
    ("http://u:secret%zz@h:1", "hexadecimal"),
    ("http://u:secret%+1@h:1", "hexadecimal"),
    ("http://u:se/cret@h:1", "%2F"),
    ("http://u:se cret@h:1", "percent-encoded"),
    ("http://h:1/path", "behind the proxy's host"),
    ("http://h:0", "port"),
    ("http://h:65536", "port"),
    ("http://h:", "port"),
    ("http://[::1:1", "no ]"),
    ("socks5://u:\(String(repeating: "x", count: 256))@h", "255 bytes"),
  ])
  func aBadURLIsRefusedWithoutQuotingIt(url: String, words: String) {
    let error = #expect(throws: ProxyAddress.Invalid.self) { try ProxyAddress(url: url) }
    #expect(error?.description.contains(words) == true, "\(String(describing: error))")
    #expect(error?.description.contains("secret") == false)
  }

  // MARK: NO_PROXY

  @Test(arguments: [
    ("*", "any.example", 443, true),
    ("", "any.example", 443, false),
    (" , ,, ", "any.example", 443, false),
    ("api.example", "api.example", 443, true),
    ("api.example", "deep.api.example", 443, true),
    ("api.example", "myapi.example", 443, false),
    (".api.example", "a.api.example", 443, true),
    (".api.example", "api.example", 443, true),
    ("*.api.example", "a.api.example", 443, true),
    ("API.Example.", "api.example", 443, true),
    ("api.example", "api.example.", 443, true),
    ("other, api.example", "api.example", 443, true),
    ("other\tapi.example", "api.example", 443, true),
    ("api.example:443", "api.example", 443, true),
    ("api.example:443", "api.example", 8443, false),
    ("*:8443", "api.example", 8443, true),
    ("*:8443", "api.example", 443, false),
    ("api.example:x", "api.example", 443, false),
    ("ap*.example", "api.example", 443, false),
    ("10.1.2.3", "10.1.2.3", 443, true),
    ("10.1.2.3:80", "10.1.2.3", 443, false),
    ("10.1.2.3:443", "10.1.2.3", 443, true),
    ("2.3", "10.1.2.3", 443, false),
    ("10.0.0.0/8", "10.200.2.3", 443, true),
    ("10.0.0.0/8", "11.0.0.1", 443, false),
    ("10.0.0.0/8:443", "10.0.0.1", 443, true),
    ("10.0.0.0/8", "ten.example", 443, false),
    ("10.1.2.128/25", "10.1.2.127", 443, false),
    ("10.1.2.128/25", "10.1.2.129", 443, true),
    ("0.0.0.0/0", "8.8.8.8", 443, true),
    ("0.0.0.0/0", "::1", 443, false),
    ("10.0.0.0/33", "10.0.0.0", 443, false),
    ("10.0.0.0/-1", "10.0.0.0", 443, false),
    ("::1", "::1", 443, true),
    ("[::1]", "0:0:0:0:0:0:0:1", 443, true),
    ("[::1]:443", "::1", 443, true),
    ("[::1]:443", "::1", 444, false),
    ("fd00::/8", "fd12::1", 443, true),
    ("fd00::/8", "fe80::1", 443, false),
    ("10.1.2.3", "::ffff:10.1.2.3", 443, true),
  ])
  func theListIsReadAsCurlReadsIt(list: String, host: String, port: Int, isCovered: Bool) {
    #expect(ProxyBypass(list).covers(host: host, port: port) == isCovered)
  }
}
