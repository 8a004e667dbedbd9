import java.security.SecureRandom;
import java.util.Random;

class Tokens {
  String createToken() {
    // ruleid: java-predictable-token
    return Long.toHexString(new Random().nextLong());
  }

  long safeToken() {
    // ok: java-predictable-token
    return new SecureRandom().nextLong();
  }

  int dice() {
    // ok: java-predictable-token
    return new Random().nextInt(6);
  }
}
