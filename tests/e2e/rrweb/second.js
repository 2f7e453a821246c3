// The second page of the same session.
document.getElementById('buy').addEventListener('click', () => {
  const rows = document.getElementById('rows');
  for (const [name, price] of [['Box kite 🪁', '12,50 €'], ['Delta kite', '8,00 €']]) {
    const row = rows.insertRow();
    row.insertCell().textContent = name;
    row.insertCell().textContent = price;
  }
  document.getElementById('total').textContent = 'Bought for 20,50 € — thank you 🙏🏽';
  document.getElementById('buy').remove();
});
