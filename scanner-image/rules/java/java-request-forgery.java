import java.net.URI;
import java.net.URL;
import java.net.URLEncoder;

class Preview {
  @GetMapping("/preview")
  Object preview(@RequestParam String url) throws Exception {
    // ruleid: java-request-forgery
    return new URL(url).openStream();
  }

  @GetMapping("/user")
  Object user(@RequestParam("name") String name) {
    // ok: java-request-forgery
    return URI.create("https://api.example.com/users?name=" + URLEncoder.encode(name, UTF_8));
  }
}
