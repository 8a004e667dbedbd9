export const config = {
  jwtSecret: 'shop-session-secret-2024',
  stripeKey: 'sk_test_FAKEnotARealKey0FAKEnotARealKey1',
  inventoryUrl: 'https://inventory.internal.example',
  imageDirectory: './images',
}
