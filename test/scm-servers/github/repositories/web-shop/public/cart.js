/** Shows the cart that the server rendered into the page's address. */
function showCart() {
  const message = decodeURIComponent(window.location.hash.slice(1))
  document.getElementById('cart').innerHTML = '<p>' + message + '</p>'
}

function countItems(items) {
  return items.reduce((sum, item) => sum + item.quantity, 0)
}

window.addEventListener('load', showCart)
window.countItems = countItems
